"""Search over texts: edits that a masked language model proposes and a score judges.

C chains, W width of the buffers (start and end token included), V vocabulary.
"""

import math
from typing import NamedTuple

import numpy as np
from keras import ops

from bert4keras3.backend import runtime
from bert4keras3.backend.hashing import row_uniform
from bert4keras3.generation import edits as E
from bert4keras3.generation import prompts as P
from bert4keras3.generation.gibbs import MaskedChains, model_inputs
from bert4keras3.generation.logits import HIDDEN
from bert4keras3.generation.loop import map_rows
from bert4keras3.generation.sampling import Sampling, row_keys
from bert4keras3.utils.checks import as_list


class Found(NamedTuple):
    """Where a chain ended, the best text it met, and how many edits it accepted."""

    text: str
    score: float
    best: str
    best_score: float
    accepted: int


class TextSearch(MaskedChains):
    """Edits texts word by word towards a high score, or draws them from exp(score).

    See MaskedChains for the arguments but these: score: function of ids (C, W), padded,
    and lengths (C,), both with start and end token, -> (C,) float32, on keras.ops
    (`generation.text_scores` has some); models: those it reads, whose weights are then
    arguments of the compiled program, as jax needs to see them change.
    A step replaces, inserts or deletes one token of every text, drawn from the masked
    model's probabilities at a random place. All chains run in one compiled loop.
    CGMH, https://arxiv.org/abs/1811.10996; UPSA, https://arxiv.org/abs/1909.03588.

        search = TextSearch(model, tokenizer, pseudo_likelihood(model, tokenizer))
        search.anneal(["今天天气好"], steps=100, maxlen=12)[0].best
    """

    def __init__(self, transformer, tokenizer, score, models=(), **options):
        super().__init__(transformer, tokenizer, **options)
        self.score = score
        models = (self.transformer, *models)
        models = [getattr(one, "transformer", one).model for one in models]
        every = [one for model in models for one in model.variables]
        self.variables = list({id(one): one for one in every}.values())

    def sample(self, texts, steps=1000, **options):
        """Metropolis-Hastings: list of Found, whose `text` is a draw from exp(score).

        steps: edits tried; options: see `anneal`. The draw is exact after enough steps,
        among the texts of minlen to maxlen allowed tokens that the edits can reach.
        """
        return self._search(texts, steps, (1.0, 1.0), True, **options)

    def anneal(self, texts, steps=1000, start=1.0, end=0.01, **options):
        """Simulated annealing: list of Found, whose `best` has the highest score met.

        texts: for every chain a text, a list of ids with start and end token, or a
        number of masks to begin with; start, end: the temperature falls from one to the
        other geometrically, an edit is accepted with probability exp(gain /
        temperature).
        Options: moves: weights of replacing, inserting and deleting; minlen, maxlen:
        bounds of the length without start and end token, an int or one per chain;
        strategy: Sampling(...) of proposed tokens; allowed: for every chain the ids
        that may be drawn; seed: see `row_keys`; data: dict of arrays with a row per
        chain, handed to the score as keyword arguments: other values of them compile
        nothing.
        Raises ValueError for bounds, moves, data or a text that do not fit.
        """
        if not (0 < start < math.inf and 0 < end < math.inf):
            raise ValueError(
                f"Temperatures must be positive. Received: start={start}, end={end}"
            )
        return self._search(texts, steps, (start, end), False, **options)

    def _search(
        self,
        texts,
        steps,
        temperatures,
        exact,
        strategy=None,
        moves=(1, 1, 1),
        seed=0,
        minlen=1,
        maxlen=32,
        allowed=None,
        data=None,
    ):
        moves, strategy = checked_moves(moves, exact), strategy or Sampling()
        if not isinstance(strategy, Sampling):
            raise ValueError(f"strategy must be Sampling(...). Received: {strategy!r}")
        texts = as_list(texts, "texts")
        if not texts:
            return []
        rows = [self._ids(one) for one in texts]
        batch = self._batch(rows, minlen, maxlen, allowed)
        batch["keys"] = row_keys(seed, len(rows))
        batch["data"] = self._data(data or {}, len(rows))
        run = self._program((exact, strategy, moves))
        steps = ops.convert_to_tensor(steps, "int32")
        pair = ops.convert_to_tensor(np.array(temperatures, "float32"))
        found = run(map_rows(ops.convert_to_tensor, batch), steps, pair)
        columns = [ops.convert_to_numpy(one) for one in found]
        if np.isnan(columns[2]).any():  # no edit is better than NaN: none was taken
            rows = np.flatnonzero(np.isnan(columns[2])).tolist()
            raise ValueError(f"score is NaN for the texts of chains {rows[:10]}.")
        return [self._found(*row) for row in zip(*columns, strict=True)]

    def _found(self, ids, length, score, best, best_length, best_score, accepted):
        text, best = self._text(ids[:length]), self._text(best[:best_length])
        return Found(text, float(score), best, float(best_score), int(accepted))

    def _batch(self, rows, minlen, maxlen, allowed):
        t, count = self.transformer, len(rows)
        lengths = np.array([len(one) for one in rows], "int32")
        bounds = [np.broadcast_to(one, count) for one in (minlen, maxlen)]
        for row, (n, least, most) in enumerate(zip(lengths - 2, *bounds, strict=True)):
            if not 1 <= least <= n <= most:
                raise ValueError(
                    f"Text {row} has {n} tokens between start and end; it needs minlen "
                    f"to maxlen, {least} to {most} of them, and minlen 1 or more."
                )
        width = int(max(bounds[1])) + 2
        limit = t.position_limit
        if limit is not None and width > limit:
            raise ValueError(
                f"maxlen={width - 2} and two special tokens need more than the model's "
                f"{limit} positions."
            )
        pad = t.pad_token_id or 0
        P.check_ids([P.Prompt(tuple(one), ()) for one in rows], t.vocab_size)
        rows = [*rows, [pad] * width]
        return {
            "ids": P.padded(rows, pad, self.buckets, limit)[:-1],
            "lengths": lengths,
            "least": bounds[0].astype("int32") + 2,
            "most": bounds[1].astype("int32") + 2,
            "allowed": self._allowed(allowed, count),
        }

    def _allowed(self, allowed, count):
        """Bool (C, V), or (1, V) for all chains: which ids may be drawn."""
        size = self.transformer.vocab_size
        if allowed is not None and len(allowed) != count:
            raise ValueError(
                f"allowed must have a list of ids for each of {count} chains. "
                f"Received: {len(allowed)}"
            )
        good = np.full((1 if allowed is None else count, size), allowed is None)
        for row, ids in enumerate(() if allowed is None else allowed):
            good[row, list(ids)] = True
        good[:, list(self.forbidden)] = False
        empty = np.flatnonzero(~good.any(axis=1))
        if len(empty):
            raise ValueError(f"Chain {empty[0]} has no id that may be drawn.")
        return good

    def _data(self, data, count):
        data = {name: ops.convert_to_numpy(one) for name, one in data.items()}
        for name, one in data.items():
            if not np.ndim(one) or len(one) != count:
                raise ValueError(
                    f"data[{name!r}] must have a row for each of {count} chains. "
                    f"Received the shape {np.shape(one)}."
                )
        return data

    def _program(self, key):
        if key not in self.programs:
            loop = search_loop(self.transformer, self.mask_id, self.score, *key)
            self.programs[key] = runtime.compiled(loop, self.variables)
        return self.programs[key]


def checked_moves(moves, exact):
    """Log-probabilities of the moves, a tuple; ValueError for impossible weights."""
    weights = [float(one) for one in moves]
    good = len(weights) == 3 and min(weights) >= 0 and 0 < sum(weights) < math.inf
    # A way there without a way back would never be accepted.
    if not good or (exact and (weights[E.INSERT] > 0) != (weights[E.DELETE] > 0)):
        raise ValueError(
            "moves must be three weights, of replacing, inserting and deleting, and "
            "those of sample() either insert and delete or do neither. "
            f"Received: {moves!r}"
        )
    total = sum(weights)
    return tuple(math.log(one / total) if one else HIDDEN for one in weights)


def search_loop(t, mask_id, score, exact, strategy, moves):
    """A function of a batch, steps and temperatures (2,) -> what Found holds."""
    pad = t.pad_token_id or 0

    def proposed(i, ids, lengths, uniform, batch):
        """Edited texts, lengths, scores; log of the way back against that there."""
        move, place = E.chosen_edit(uniform, lengths, moves)
        masked = E.shifted(ids, place, move == E.INSERT, mask_id)
        logits = t.logits_at(t.context(model_inputs(t, masked)), place)
        kept = strategy.kept(ops.where(batch["allowed"], logits, HIDDEN))
        new = Sampling()(kept, batch["keys"], 2 * i + 1)[:, None]
        texts, sizes = E.edited(ids, masked, lengths, move, place, new, pad)
        found = rated(score, texts, sizes, batch)
        if not exact:
            return found, 0.0
        old = ops.take_along_axis(ids, place, axis=1)
        return found, E.way_back(kept, old, new, move, moves, batch["allowed"])

    def loop(batch, steps, temperatures):
        rate = ops.log(temperatures[1] / temperatures[0])
        rate = rate / ops.cast(ops.maximum(steps - 1, 1), "float32")

        def step(i, now, best, accepted):
            # Even numbers choose the edit and judge it, odd ones the token.
            uniform = row_uniform(batch["keys"], 2 * i, 3)
            found, turn = proposed(i, now[0], now[1], uniform, batch)
            temperature = temperatures[0] * ops.exp(rate * ops.cast(i, "float32"))
            gain = (found[2] - now[2]) / temperature + turn
            good = ops.logical_and(
                found[1] >= batch["least"], found[1] <= batch["most"]
            )
            good = ops.logical_and(good, ops.log(uniform[:, 2]) < gain)
            now = chosen(good, found, now)
            best = chosen(now[2] > best[2], now, best)
            return i + 1, now, best, accepted + ops.cast(good, "int32")

        now = rated(score, batch["ids"], batch["lengths"], batch)
        start = ops.convert_to_tensor(0, "int32"), now, now, ops.zeros_like(now[1])
        _, now, best, accepted = ops.while_loop(lambda i, *rest: i < steps, step, start)
        return *now, *best, accepted

    return loop


def rated(score, ids, lengths, batch):
    """The texts, their lengths and scores; ValueError for scores of another shape."""
    found = score(ids, lengths, **batch["data"])
    shape, expected = tuple(ops.shape(found)), tuple(ops.shape(lengths))
    if shape != expected:
        raise ValueError(
            f"score must return a number per chain, of the shape {expected}. It "
            f"returned {shape}."
        )
    return ids, lengths, ops.cast(found, "float32")


def chosen(flags, first, second):
    """Rows of the tensors of `first` where `flags: (C,)`, of `second` elsewhere."""
    flags = [flags[:, None], flags, flags]
    return tuple(map(ops.where, flags, first, second))
