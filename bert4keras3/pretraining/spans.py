"""SpanCorruption: T5's objective, spans replaced by sentinels and written out."""

from dataclasses import dataclass

import numpy as np

from bert4keras3.pretraining.objective import Objective, Plan, check_length, check_rate
from bert4keras3.pretraining.shards import SPECIAL, Vocabulary

_SENTINELS = ("<extra_id_{}>", "\u2581<extra_id_{}>", "[unused{}]")


def sentinel_ids(tokenizer, count: int = 100) -> tuple[int, ...]:
    """Ids of the sentinels of a tokenizer, at most `count`, in their order.

    Those of T5 and mT5 (<extra_id_0>, ...), else BERT's [unused1], ...
    Raises ValueError if the tokenizer has none. Of Google's T5 files, whose
    SentencePiece model ends before them, they are range(32099, 31999, -1).
    """
    for form in _SENTINELS:
        found = []
        for number in range(count + 1):
            token = form.format(number)
            i = _id(tokenizer, token)
            if i is not None:
                found.append(i)
        if found:
            return tuple(found[:count])
    raise ValueError(
        f"the tokenizer has none of {[form.format(1) for form in _SENTINELS]}. Pass "
        "sentinels=, the ids of tokens that texts do not contain."
    )


def _id(tokenizer, token):
    try:
        i = tokenizer.token_to_id(token)
        return i if tokenizer.id_to_token(i) == token else None
    except KeyError:
        return None


@dataclass(frozen=True)
class SpanCorruption(Objective):
    """T5's span corruption of full rows; the end tokens of documents are left out.

    sentinels: ids, see `sentinel_ids`; rate: share of tokens that is cut out; span:
    mean length of a span; start: id that the decoder begins with, T5's padding.
    Of n tokens round(n * rate) are cut out in round(of these / span) spans, and n is
    the largest for which a row has at most T tokens: all rows are full. Lengths of
    spans, and of what is between, are drawn uniformly from all that sum up; a row
    begins with a token that stays.
    A batch is ((source, decoder), labels, weights), int32 and float32: source (B, S),
    what stays, a sentinel for each span, the end token; labels (B, U), for each span
    its sentinel and tokens, the end token; decoder (B, U), labels one to the right
    after `start`; weights (B, U), 1. S and U are `sizes(T)`.
    For `model="t5"`, whole. https://arxiv.org/abs/1910.10683
    """

    sentinels: tuple[int, ...]
    rate: float = 0.15
    span: float = 3.0
    start: int = 0

    def __post_init__(self):
        object.__setattr__(self, "sentinels", tuple(map(int, self.sentinels)))
        check_rate("rate", self.rate)
        if self.span < 1:
            raise ValueError(f"span must be at least 1. Received: {self.span}")

    def _parts(self, tokens: int) -> tuple[int, int]:
        """(tokens cut out, spans) of a row made of so many tokens."""
        cut = min(max(round(tokens * self.rate), 1), tokens - 1)
        return cut, min(max(round(cut / self.span), 1), tokens - cut)

    def _tokens(self, length: int) -> int:
        """The tokens of the corpus that a row of `length` is made of."""
        check_length(length, 4)
        tokens = 2
        while True:
            cut, spans = self._parts(tokens + 1)
            if tokens + 1 - cut + spans + 1 > length:
                return tokens
            tokens += 1

    def sizes(self, length: int) -> tuple[int, int]:
        """(S, U): tokens of the source, at most `length`, and of the target."""
        tokens = self._tokens(length)
        cut, spans = self._parts(tokens)
        return tokens - cut + spans + 1, cut + spans + 1

    def plan(self, length: int, vocabulary: Vocabulary) -> Plan:
        tokens = self._tokens(length)
        spans = self._parts(tokens)[1]
        if spans > len(self.sentinels):
            raise ValueError(
                f"rows of {length} tokens have {spans} spans, and there are "
                f"{len(self.sentinels)} sentinels. Pass more, or a smaller length."
            )
        ids = {*self.sentinels, vocabulary.end}
        # They may be none of the tokenizer's: T5's models have more ids than those.
        if len(ids) <= len(self.sentinels) or min(*ids, self.start) < 0:
            raise ValueError(
                "sentinels must be different ids, none of them the end token, "
                f"{vocabulary.end}, or negative. Received: {self.sentinels[:8]} ..., "
                f"start={self.start}"
            )
        return Plan(tokens, tokens)

    def batch(self, shards, positions, noise, length):
        vocabulary = shards.vocabulary
        ids = texts_of(shards, positions, self._tokens(length))
        source, target = self.corrupt(ids, noise)
        ends = np.full((len(ids), 1), vocabulary.end, "int32")
        source, labels = (np.hstack([one, ends]) for one in (source, target))
        decoder = np.hstack([np.full_like(ends, self.start), target])
        return (source, decoder), labels, np.ones(labels.shape, "float32")

    def corrupt(self, ids: np.ndarray, noise: np.ndarray) -> tuple:
        """Return (what stays, what is cut out), with sentinels, of rows (B, n).

        noise: (B, n) uint64.
        """
        rows, tokens = ids.shape
        cut, spans = self._parts(tokens)
        kept = tokens - cut
        lengths = np.empty((rows, spans, 2), "int64")  # what stays, and a span, in turn
        lengths[..., 0] = _composition(noise[:, : kept - 1], kept, spans)
        lengths[..., 1] = _composition(noise[:, kept - 1 : tokens - 2], cut, spans)
        inside = np.tile([False, True], rows * spans)
        inside = np.repeat(inside, lengths.ravel()).reshape(ids.shape)
        ends = np.cumsum(lengths.sum(axis=2), axis=1)
        begins = ends - lengths[..., 1]  # (rows, spans): the first token of each
        marks = np.asarray(self.sentinels[:spans], "int32")
        opened = np.zeros(ids.shape, bool)
        np.put_along_axis(opened, begins, True, axis=1)
        source = np.where(opened, 0, ids)
        source[opened] = np.tile(marks, rows)
        source = source[~inside | opened].reshape(rows, kept + spans)
        place = begins - np.cumsum(lengths[..., 0], axis=1) + np.arange(spans)
        target = np.empty((rows, cut + spans), "int32")
        is_mark = np.zeros(target.shape, bool)
        np.put_along_axis(is_mark, place, True, axis=1)
        target[is_mark] = np.tile(marks, rows)
        target[~is_mark] = ids[inside]
        return source, target


def _composition(noise: np.ndarray, total: int, parts: int) -> np.ndarray:
    """Draw `parts` whole numbers above 0 with a sum, uniformly: (B, parts).

    noise: (B, total - 1) uint64: the smallest of them say where parts end.
    """
    if parts == 1:
        return np.full((len(noise), 1), total)
    ends = np.argpartition(noise, parts - 2, axis=1)[:, : parts - 1] + 1
    ends = np.sort(ends, axis=1)
    return np.diff(ends, axis=1, prepend=0, append=total)


def texts_of(shards, positions, count: int) -> np.ndarray:
    """`count` tokens of text from each position, without end tokens: (B, count)."""
    size = count + count // 8 + 1
    while True:
        ids, flags = shards.windows(positions, size)
        text = flags & SPECIAL == 0
        numbers = np.cumsum(text, axis=1)
        if (numbers[:, -1] >= count).all():
            return ids[text & (numbers <= count)].reshape(len(ids), count)
        size *= 2
