"""PretrainingData: batches of an objective, each a function of its number alone."""

import operator
from collections.abc import Iterator

import numpy as np

from bert4keras3.pretraining.draws import CUT, draws, permuted, row_draws
from bert4keras3.pretraining.objective import Objective
from bert4keras3.pretraining.shards import TokenShards
from bert4keras3.utils.parallel import prefetch as run_ahead


class PretrainingData:
    """Batches of a corpus for `model.fit`, the same on every run and for every resume.

        data = PretrainingData(TokenShards("corpus"), MaskedLM(), 256, length=512)
        model.fit(data.forfit(prefetch=2), steps_per_epoch=len(data), epochs=10,
                  callbacks=[Checkpoint("run1", data=data)])

    shards: a `TokenShards` or its folder; objective: what a row is and what is learned,
    see there for batches; batch_size: rows of a step, of all hosts together; length: T,
    tokens of a row; seed; host, hosts: this process gets rows host * n to host * n + n
    - 1 of every step, n = batch_size / hosts.
    An epoch cuts the corpus into rows from a random place on (of objectives that make a
    row of sentences around a place, these are the places, and texts may be read twice
    or not at all in it; T5's rows, which leave out the ends of documents, overlap by
    so many tokens); the rows are shuffled as a whole, the last ones that fill no
    batch are left out, and masks are drawn anew. `data.batch(i)` is any step from the
    beginning, in constant time: order and draws are computed from (seed, epoch, row),
    nothing is kept. So the steps do not depend on how many hosts there are, and a
    stopped training may go on with another number.
    Raises ValueError for a batch that hosts cannot share, and for too few tokens.
    """

    def __init__(
        self,
        shards: TokenShards,
        objective: Objective,
        batch_size: int = 32,
        length: int = 512,
        *,
        seed: int = 0,
        host: int = 0,
        hosts: int = 1,
    ):
        if not isinstance(shards, TokenShards):
            shards = TokenShards(shards)
        batch_size, length, seed = map(operator.index, (batch_size, length, seed))
        if batch_size < 1 or hosts < 1 or batch_size % hosts or not 0 <= host < hosts:
            raise ValueError(
                "batch_size, the rows of all hosts, must be a multiple of hosts, and "
                f"host one of 0 .. hosts - 1. Received: batch_size={batch_size}, "
                f"host={host}, hosts={hosts}"
            )
        if not 0 <= seed < 1 << 64:
            raise ValueError(f"seed must be in [0, 2^64). Received: {seed}")
        self.shards, self.objective = shards, objective
        self.batch_size, self.length, self.seed = batch_size, length, seed
        self.host, self.hosts = host, hosts
        self.plan = objective.plan(length, shards.vocabulary)
        self.rows = shards.tokens // self.plan.stride
        if self.rows < batch_size:
            raise ValueError(
                f"{shards.folder} has {shards.tokens} tokens, enough for {self.rows} "
                f"rows of {length}, fewer than batch_size={batch_size}. Lower "
                "batch_size or length."
            )
        self._first = 0

    def __len__(self) -> int:
        """Steps of an epoch."""
        return self.rows // self.batch_size

    def batch(self, step: int) -> tuple:
        """(inputs, labels, weights) of step 0, 1, ... counted over all epochs."""
        if step < 0:
            raise ValueError(f"step must be at least 0. Received: {step}")
        epoch, step = divmod(step, len(self))
        count = self.batch_size // self.hosts
        first = step * self.batch_size + self.host * count
        wanted = np.arange(first, first + count)
        rows = permuted(wanted, self.rows, self.seed, epoch)
        offset = int(draws(self.seed, epoch, 0, 1, CUT)[0]) % self.shards.tokens
        positions = (offset + rows * self.plan.stride) % self.shards.tokens
        noise = row_draws(self.seed, epoch, rows, self.plan.draws)
        return self.objective.batch(self.shards, positions, noise, self.length)

    def forfit(self, prefetch: int = 0, start: int | None = None) -> Iterator[tuple]:
        """Yield batches for ever, from a step on, for `model.fit`.

        prefetch: batches that a background thread makes ahead; start: the first step,
        by default 0 or where the `Checkpoint` stopped.
        """
        batches = self._batches(start)
        return run_ahead(batches, prefetch) if prefetch else batches

    def _batches(self, start: int | None) -> Iterator[tuple]:
        # Known with the first batch: a Checkpoint may be made after the call of forfit.
        step = self._first if start is None else start
        while True:
            yield self.batch(step)
            step += 1

    def recorded(self, state: dict | None = None) -> "Place":
        """What a `training.Checkpoint` asks of its data.

        state: what `Place.at` returned in another process: `forfit` starts there.
        Raises ValueError if corpus, objective, seed or sizes are others.
        """
        place = Place(self)
        if state is not None:
            place.compare(state["settings"])
            self._first = state["batch"]
        return place


class Place:
    """Notes of a `PretrainingData` for a checkpoint: a step's number says it all."""

    def __init__(self, data: PretrainingData):
        self.settings = {
            "generator": type(data).__name__,
            "vocabulary": data.shards.vocabulary.hash,
            "tokens": data.shards.tokens,
            "documents": len(data.shards),
            "content": data.shards.content,
            "objective": repr(data.objective),
            "batch_size": data.batch_size,
            "length": data.length,
            "seed": data.seed,
        }

    def compare(self, saved: dict) -> None:
        """Raise ValueError unless the checkpoint's settings are these."""
        for name, value in saved.items():
            if self.settings.get(name) != value:
                raise ValueError(
                    f"The data are others than those of the checkpoint: {name} was "
                    f"{value!r}. Received: {self.settings.get(name)!r}"
                )

    def at(self, batch: int) -> dict:
        """How to start at a step, counted from 0."""
        return {"batch": batch, "settings": self.settings}
