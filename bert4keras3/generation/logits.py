"""Rules that change logits before a token is chosen.

A rule is called with logits (R, V) and a History, and returns logits. Rules are frozen
dataclasses: two equal ones share a compiled program. R rows, S slots, V vocabulary.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from keras import ops

HIDDEN = -1e9  # finite: sums of it stay finite, and no probability is left


class History(NamedTuple):
    """What a rule may look at.

    tokens: (R, S), in order, without gaps; length: (R,), how many of them there are;
    step: scalar, number of tokens generated so far; start: (R,), index in `tokens` of
    the first generated one.
    """

    tokens: Any
    length: Any
    step: Any
    start: Any

    def known(self, with_prompt=True):
        """Bool (R, S): which tokens are there, the prompt's or only the new ones."""
        slots = ops.expand_dims(ops.arange(ops.shape(self.tokens)[1]), 0)
        known = slots < self.length[:, None]
        if with_prompt:
            return known
        return ops.logical_and(known, slots >= self.start[:, None])


def marked(tokens, flags, size):
    """Bool (R, V): ids that stand at a flagged place of `tokens: (R, S)`."""
    rows, slots = ops.shape(tokens)
    ids = ops.where(flags, tokens, size)  # one column more takes what does not count
    row = ops.broadcast_to(ops.expand_dims(ops.arange(rows), 1), (rows, slots))
    places = ops.reshape(ops.stack([row, ids], axis=-1), (-1, 2))
    marks = ops.zeros((rows, size + 1), dtype="int32")
    ones = ops.ones((rows * slots,), dtype="int32")
    return ops.scatter_update(marks, places, ones)[:, :size] > 0


@dataclass(frozen=True)
class RepetitionPenalty:
    """Divide positive and multiply negative logits of tokens seen before by `penalty`.

    https://arxiv.org/abs/1909.05858; with_prompt: the prompt's tokens count too.
    """

    penalty: float
    with_prompt: bool = False

    def __post_init__(self):
        _check(self.penalty > 0, "penalty", "a positive number", self.penalty)

    def __call__(self, logits, history):
        flags = history.known(self.with_prompt)
        seen = marked(history.tokens, flags, ops.shape(logits)[1])
        less = ops.where(logits > 0, logits / self.penalty, logits * self.penalty)
        return ops.where(seen, less, logits)


@dataclass(frozen=True)
class NoRepeatNgram:
    """Forbid the token that would repeat an n-gram; with_prompt: of the prompt too."""

    size: int
    with_prompt: bool = False

    def __post_init__(self):
        _check(self.size >= 1, "size", "1 or more", self.size)

    def __call__(self, logits, history):
        tokens, known = history.tokens, history.known(self.with_prompt)
        length, n = ops.shape(tokens)[1], self.size
        if length < n:
            return logits
        count = length - n + 1  # n-grams, by their first token
        same = ops.logical_and(known[:, :count], known[:, n - 1 :])
        own = history.length - n + 1  # where the unfinished n-gram begins
        for i in range(n - 1):
            place = ops.clip(own + i, 0, length - 1)
            last = ops.take_along_axis(tokens, place[:, None], axis=1)
            same = ops.logical_and(same, tokens[:, i : i + count] == last)
        begun = history.start if not self.with_prompt else ops.zeros_like(own)
        same = ops.logical_and(same, (own >= begun)[:, None])
        hidden = marked(tokens[:, n - 1 :], same, ops.shape(logits)[1])
        return ops.where(hidden, HIDDEN, logits)


@dataclass(frozen=True)
class _Ids:
    """A rule of token ids, kept as a tuple of ints."""

    ids: tuple

    def __post_init__(self):
        object.__setattr__(self, "ids", tuple(int(one) for one in self.ids))


@dataclass(frozen=True)
class Forbid(_Ids):
    """Never choose these token ids."""

    def __call__(self, logits, history):
        return ops.where(_chosen(self.ids, logits), HIDDEN, logits)


@dataclass(frozen=True)
class Allow(_Ids):
    """Choose among these token ids only."""

    def __post_init__(self):
        super().__post_init__()
        _check(self.ids, "ids", "at least one id", self.ids)

    def __call__(self, logits, history):
        return ops.where(_chosen(self.ids, logits), logits, HIDDEN)


@dataclass(frozen=True)
class Force:
    """Generate these tokens first: ids[i] at step i; None leaves a step free."""

    ids: tuple

    def __post_init__(self):
        object.__setattr__(self, "ids", tuple(self.ids))
        _check(self.ids, "ids", "at least one id", self.ids)

    def __call__(self, logits, history):
        ids = [-1 if one is None else int(one) for one in self.ids]
        size = ops.shape(logits)[1]
        wrong = [one for one in ids if not -1 <= one < size]
        _check(not wrong, "ids", f"ids in [0, {size})", wrong)
        step = ops.minimum(history.step, len(ids) - 1)
        wanted = ops.take(ops.convert_to_tensor(ids, "int32"), step)
        free = ops.logical_or(history.step >= len(ids), wanted < 0)
        here = ops.expand_dims(ops.arange(size) == wanted, 0)
        return ops.where(ops.logical_or(free, here), logits, HIDDEN)


@dataclass(frozen=True)
class MinLength:
    """Do not end before `length` tokens are generated; end_id: the token that ends."""

    length: int
    end_id: int

    def __call__(self, logits, history):
        early = history.step < self.length
        end = _chosen((self.end_id,), logits)
        return ops.where(ops.logical_and(early, end), HIDDEN, logits)


@dataclass(frozen=True)
class CopySpan:
    """Generate a piece of the prompt's first sentence, as it stands there.

    The next token is one that follows the new ones somewhere between the first token
    of the prompt and the first `end_id` in it, or `end_id` itself; longest: tokens of
    an answer that are compared at most.
    """

    end_id: int
    longest: int = 32

    def __call__(self, logits, history):
        tokens, start = history.tokens, history.start
        places = ops.arange(ops.shape(tokens)[1])
        # The end is sought in the prompt; the new tokens may hold it too.
        ends = ops.logical_and(tokens == self.end_id, places[None] < start[:, None])
        border = ops.argmax(ops.cast(ends, "int32"), axis=1)[:, None]
        border = ops.where(ops.any(ends, axis=1)[:, None], border, start[:, None])
        back = 1 + ops.arange(self.longest)  # how far to look back, J
        earlier = places[:, None] - back[None]  # (S, J)
        before = ops.take(tokens, ops.maximum(earlier, 0), axis=1)
        last = ops.maximum(history.length[:, None] - back[None], 0)
        last = ops.take_along_axis(tokens, last, axis=1)
        same = ops.logical_and(before == last[:, None], (earlier > 0)[None])
        count = history.length - start
        beyond = back[None] > count[:, None]
        same = ops.all(ops.logical_or(same, beyond[:, None]), axis=-1)
        inside = ops.logical_and(places[None] > 0, places[None] < border)
        allowed = marked(tokens, ops.logical_and(same, inside), ops.shape(logits)[1])
        allowed = ops.logical_or(allowed, _chosen((self.end_id,), logits))
        return ops.where(allowed, logits, HIDDEN)


def _chosen(ids, logits):
    """Bool (1, V): True at the ids. Raises ValueError for one that is no token."""
    size = ops.shape(logits)[1]
    wrong = [one for one in ids if not 0 <= one < size]
    _check(not wrong, "ids", f"ids in [0, {size})", wrong)
    chosen = np.zeros((1, size), bool)
    chosen[0, list(ids)] = True
    return ops.convert_to_tensor(chosen)


def _check(good, name, expected, received):
    if not good:
        raise ValueError(f"{name} must be {expected}. Received: {received!r}")
