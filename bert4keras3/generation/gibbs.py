"""Gibbs sampling: a masked language model as a generator of texts.

B chains, T tokens, V vocabulary.
"""

import numpy as np
from keras import ops

from bert4keras3.backend import runtime
from bert4keras3.backend.hashing import row_uniform
from bert4keras3.generation import prompts as P
from bert4keras3.generation.logits import Forbid, History
from bert4keras3.generation.sampling import Sampling, row_keys
from bert4keras3.utils.checks import as_list

SPECIAL = ("pad", "start", "end", "mask", "unk")


class MaskedChains:
    """What is drawn from a masked language model, many chains of texts at once.

    transformer: a Transformer or the Keras model of build_transformer_model, an encoder
    with with_mlm=True; tokenizer: of the texts; mask_id: default the tokenizer's;
    forbidden: ids that are never drawn, default the tokenizer's special tokens.
    Raises ValueError for a model without masked-LM head.
    """

    def __init__(self, transformer, tokenizer, mask_id=None, forbidden=None):
        self.transformer = masked_model(transformer, type(self).__name__)
        self.tokenizer = tokenizer
        ids = [getattr(tokenizer, f"_token_{name}_id", None) for name in SPECIAL]
        known = tuple(sorted({one for one in ids if one is not None}))
        self.forbidden = known if forbidden is None else tuple(forbidden)
        self.mask_id = tokenizer._token_mask_id if mask_id is None else mask_id
        self.buckets = None if runtime.BACKEND == "torch" else P.BUCKETS
        self.programs = {}

    def _ids(self, one):
        if isinstance(one, str):
            return self.tokenizer.encode(one)[0]
        if isinstance(one, (int, np.integer)):
            start, end = self.tokenizer._token_start_id, self.tokenizer._token_end_id
            return [start, *[self.mask_id] * int(one), end]
        return list(one)

    def _text(self, ids):
        return self.tokenizer.decode([int(one) for one in ids])


def masked_model(transformer, user):
    """The Transformer of a model; ValueError, for that user, without MLM head."""
    t = getattr(transformer, "transformer", transformer)
    if t.visibility != "encoder" or not getattr(t, "with_mlm", False):
        raise ValueError(
            f"{user} needs an encoder with a masked-LM head: build the "
            f"{type(t).__name__} with with_mlm=True and application='encoder'."
        )
    return t


def model_inputs(t, ids):
    """The inputs of a Transformer that reads one sentence."""
    return [ids, ops.zeros_like(ids)] if t.segment_vocab_size else [ids]


class GibbsSampler(MaskedChains):
    """Draws texts from a masked language model (https://kexue.fm/archives/8119).

    See MaskedChains for the arguments. A step masks one place of every text and draws
    it anew from the model's probabilities; all chains of a call run in one compiled
    loop.
    """

    def __call__(self, texts, steps=1000, every=None, strategy=None, seed=0, free=None):
        """Texts after `steps` steps, one per chain, or lists of snapshots.

        texts: for every chain a text, a list of ids with start and end token, or a
        number of tokens, which begin masked; every: take a snapshot after that many
        steps each; strategy: Sampling(...), default from the full softmax; seed: see
        `row_keys`; free: for every chain the places that may change, default all but
        the first and the last. Raises ValueError for a chain without a free place.
        """
        rows = [self._ids(one) for one in as_list(texts, "texts")]
        if steps < 1 or (every is not None and every < 1):
            raise ValueError(
                f"steps and every must be 1 or more. Received: {steps} and {every}"
            )
        if not rows:
            return []
        batch = self._batch(rows, free, seed)
        strategy, snapshots = strategy or Sampling(), []
        ids, done = batch["ids"], 0
        while done < steps:
            count = min(every or steps, steps - done)
            run = self._program(strategy, batch)
            ids = run({**batch, "ids": ids}, *map(_integer, (done, count)))
            snapshots.append(ops.convert_to_numpy(ids))
            done += count
        found = [
            [self._text(one[row, : len(ids)]) for one in snapshots]
            for row, ids in enumerate(rows)
        ]
        return found if every else [one[-1] for one in found]

    def _batch(self, rows, free, seed):
        pad = self.transformer.pad_token_id or 0
        ids = P.padded(rows, pad, self.buckets)
        open_places = np.zeros(ids.shape, bool)
        for row, one in enumerate(rows):
            places = range(1, len(one) - 1) if free is None else free[row]
            wrong = [i for i in as_list(places, "free") if not 0 <= i < len(one)]
            if wrong or not len(places):
                raise ValueError(
                    f"Chain {row} has no place that may change, or one that is not in "
                    f"[0, {len(one)}). Received: {list(places)}"
                )
            open_places[row, list(places)] = True
        batch = {"ids": ids, "free": open_places, "keys": row_keys(seed, len(rows))}
        return {name: ops.convert_to_tensor(one) for name, one in batch.items()}

    def _program(self, strategy, batch):
        if strategy not in self.programs:
            loop = gibbs_loop(
                self.transformer, self.mask_id, strategy, Forbid(self.forbidden)
            )
            variables = self.transformer.model.variables
            self.programs[strategy] = runtime.compiled(loop, variables)
        return self.programs[strategy]


def _integer(value):
    return ops.convert_to_tensor(value, "int32")


def gibbs_loop(t, mask_id, strategy, rule):
    """A function of a batch and the numbers of done and further steps -> ids (B, T)."""

    def loop(batch, done, count):
        keys, free = batch["keys"], batch["free"]
        rows, length = ops.shape(free)
        columns = ops.expand_dims(ops.arange(length), 0)

        def step(i, ids):
            # Even numbers choose the place, odd ones the token.
            uniform = row_uniform(keys, 2 * i, length)
            place = ops.argmax(ops.where(free, uniform, -1.0), axis=-1)
            place = ops.cast(place, "int32")[:, None]
            here = columns == place
            masked = ops.where(here, mask_id, ids)
            logits = t.logits_at(t.context(model_inputs(t, masked)), place)
            history = History(masked, ops.sum(ops.ones_like(ids), axis=1), i, None)
            drawn = strategy(rule(logits, history), keys, 2 * i + 1)
            return i + 1, ops.where(here, drawn[:, None], ids)

        end = done + count
        return ops.while_loop(lambda i, ids: i < end, step, (done, batch["ids"]))[1]

    return loop
