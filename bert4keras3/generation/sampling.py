"""Choosing one token per row from logits: the most probable, or at random.

A sampler is called with logits (R, V), integer keys (R,) and a step, and returns ids
(R,). Samplers are frozen dataclasses: two equal ones share a compiled program.
"""

import math
from dataclasses import dataclass
from numbers import Integral

import numpy as np
from keras import ops

from bert4keras3.backend.hashing import row_uniform
from bert4keras3.backend.tensors import first_best
from bert4keras3.generation.logits import HIDDEN


@dataclass(frozen=True)
class Greedy:
    """The most probable token."""

    def __call__(self, logits, keys, step):
        return first_best(logits)


@dataclass(frozen=True)
class Sampling:
    """A token at random, after its probability.

    temperature: divide the logits by it; topk: keep the k most probable tokens; topp:
    then keep the smallest set of them whose renormalised probability reaches p, with
    the token that crosses it (https://arxiv.org/abs/1904.09751); minp: then keep those
    with at least this share of the best one's probability
    (https://arxiv.org/abs/2407.01082).
    The same keys give the same tokens on every backend, alone or in a batch.
    """

    temperature: float = 1.0
    topk: int | None = None
    topp: float | None = None
    minp: float | None = None

    def __post_init__(self):
        def check(name, good, expected):
            value = getattr(self, name)
            if value is not None and not good(value):
                raise ValueError(f"{name} must be {expected}. Received: {value!r}")

        positive = "a positive number; for the most probable token take Greedy()"
        check("temperature", lambda x: 0 < x < math.inf, positive)
        check(
            "topk", lambda x: isinstance(x, Integral) and x >= 1, "an int >= 1, or None"
        )
        check("topp", lambda x: 0 < x <= 1, "in (0, 1], or None")
        check("minp", lambda x: 0 <= x <= 1, "in [0, 1], or None")

    def kept(self, logits):
        """Logits / temperature, HIDDEN where a token is left out."""
        logits = logits / self.temperature
        if self.topk is not None and self.topk < ops.shape(logits)[-1]:
            best = ops.top_k(logits, self.topk)[0]
            logits = ops.where(logits < best[..., -1:], HIDDEN, logits)
        if self.topp is not None and self.topp < 1.0:
            logits = _nucleus(logits, self.topp)
        if self.minp:
            least = ops.max(logits, axis=-1, keepdims=True) + math.log(self.minp)
            logits = ops.where(logits < least, HIDDEN, logits)
        return logits

    def __call__(self, logits, keys, step):
        # The largest of log p + Gumbel noise is a draw from p: no sum over tokens.
        uniform = row_uniform(keys, step, ops.shape(logits)[-1])
        noise = -ops.log(-ops.log(uniform))
        return first_best(self.kept(logits) + noise)


def _nucleus(logits, topp):
    """Hide the tokens behind the one with which the sorted probabilities reach p."""
    ordered = ops.flip(ops.sort(logits, axis=-1), axis=-1)
    probabilities = ops.softmax(ordered, axis=-1)
    before = ops.cumsum(probabilities, axis=-1) - probabilities
    least = ops.where(before < topp, ordered, np.inf)
    least = ops.min(least, axis=-1, keepdims=True)
    return ops.where(logits < least, HIDDEN, logits)


def row_keys(seed, rows):
    """One key below 2**31 per row, int32 numpy (rows,).

    seed: an int for the whole batch, or one per row: a row of a seed of its own is
    drawn alike in every batch; None draws a seed. Raises ValueError for another number
    of seeds.
    """
    seed = np.random.SeedSequence().entropy if seed is None else seed
    whole = [isinstance(one, Integral) for one in np.ravel(seed).tolist()]
    if isinstance(seed, str) or not all(whole):
        raise ValueError(f"seed must be whole numbers, or None. Received: {seed!r}")
    if np.ndim(seed) == 0:
        seeds = [[int(seed), row] for row in range(rows)]
    elif len(seed) == rows:
        seeds = [[int(one), 0] for one in seed]
    else:
        raise ValueError(f"seed must be an int or {rows} of them. Received: {seed!r}")
    words = [np.random.SeedSequence([s % 2**64, r]).generate_state(1) for s, r in seeds]
    return (np.concatenate(words) >> 1).astype("int32")


def answer_keys(keys, n):
    """Keys (B * n,) of n answers per prompt; the first has the prompt's own key."""
    if n == 1:
        return keys
    offsets = ops.expand_dims(ops.arange(n) * 7919, 0)
    keys = ops.bitwise_and(keys[:, None] + ops.cast(offsets, keys.dtype), 0x7FFFFFFF)
    return ops.reshape(keys, (-1,))


def chooser(strategy, rules, keys):
    """The function of logits and history that picks the next tokens."""

    def choose(logits, history):
        for rule in rules:
            logits = rule(logits, history)
        return strategy(logits, keys, history.step)

    return choose
