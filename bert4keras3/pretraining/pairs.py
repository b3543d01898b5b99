"""NextSentence and SentenceOrder: a masked language model of two parts of a text."""

from dataclasses import dataclass, field

import numpy as np

from bert4keras3.pretraining.draws import below, threshold
from bert4keras3.pretraining.masking import MaskedLM
from bert4keras3.pretraining.objective import Objective, Plan, check_length
from bert4keras3.pretraining.shards import CONTINUES, SENTENCE, SPECIAL, TokenShards

_TRIES = 10  # places that are looked at for a part of another document
_CHOICES = 4 + _TRIES  # random numbers of a row besides those of the masks
_HALF = 1 << 63


def piece(shards: TokenShards, position: int, size: int) -> tuple:
    """(ids, flags) of at most `size` tokens of the document at a position.

    Whole sentences from the one that holds the position on, with earlier ones as far as
    there is room when the document ends before. Of a sentence of more than `size`
    tokens it is a part around the position. Always with the token at the position.
    """
    return text_from(shards, beginning(shards, position, size), size)


def beginning(shards: TokenShards, position: int, size: int) -> int:
    """Where the `piece` of a position begins."""
    first, end = shards.document_at(position)
    position = min(position, end - 1)  # the end token's is the last of the text
    back = max(first, position - size + 1)
    _, flags = shards.read(back, position - back + 1)
    borders = back + np.flatnonzero(flags & SENTENCE)
    if not len(borders):
        return max(first, min(position, end - size))
    if end - borders[-1] > size:
        return int(borders[-1])
    return int(borders[np.searchsorted(borders, end - size)])


def text_from(shards: TokenShards, begin: int, size: int) -> tuple:
    """(ids, flags) of sentences from a place on, at most `size` tokens of a document.

    A sentence that is longer is cut.
    """
    end = shards.document_at(begin)[1]
    count = min(size + 1, end - begin)
    ids, flags = shards.read(begin, count)
    if count > size:  # the document goes on: end with a sentence
        borders = np.flatnonzero(flags[1:] & SENTENCE) + 1
        count = int(borders[-1]) if len(borders) else size
    flags[:1] &= ~np.uint8(CONTINUES)
    return ids[:count], flags[:count]


def border(flags: np.ndarray, draw) -> int:
    """A random place inside a piece where a sentence begins; else a word, or a token.

    flags: (n,); draw: a uint64. A piece of one token has none: 1.
    """
    for places in (flags & SENTENCE > 0, flags & CONTINUES == 0, flags >= 0):
        inside = np.flatnonzero(places[1:]) + 1
        if len(inside):
            return int(inside[below(draw, len(inside))])
    return 1


def parted(text: tuple, cut: int) -> tuple:
    """((ids, flags), (ids, flags)) of the tokens before a cut and after it."""
    ids, flags = text
    return (ids[:cut], flags[:cut]), (ids[cut:], flags[cut:])


@dataclass(frozen=True)
class _Pairs(Objective):
    """Rows of two parts with a class; subclasses define `pair`.

    masking: how tokens are hidden; short: probability that a row is made for a length
    drawn from 2 to T - 3 in place of T - 3.
    """

    masking: MaskedLM = field(default_factory=MaskedLM)
    short: float = 0.1

    def __post_init__(self):
        if not 0 <= self.short <= 1:
            raise ValueError(f"short must be in [0, 1]. Received: {self.short}")
        if self.masking.packed:
            raise ValueError("masking must not be packed: a row is one pair of texts.")

    def plan(self, length, vocabulary):
        check_length(length, 8)
        draws = self.masking.plan(length, vocabulary).draws
        return Plan(self._room(length, vocabulary), _CHOICES + draws)

    @staticmethod
    def _room(length, vocabulary) -> int:
        return length - 2 - (vocabulary.start is not None)

    def batch(self, shards, positions, noise, length):
        vocabulary = shards.vocabulary
        size = self._room(length, vocabulary)
        ids = np.full((len(positions), length), vocabulary.pad, "int32")
        flags = np.full(ids.shape, SPECIAL, "uint8")
        segments, classes = np.zeros_like(ids), np.zeros(len(ids), "int32")
        head = [] if vocabulary.start is None else [vocabulary.start]
        for row, place in enumerate(np.asarray(positions).tolist()):
            draws = noise[row, :_CHOICES]
            wanted = size
            if draws[0] < threshold(self.short):
                wanted = 2 + int(below(draws[0], size - 1))
            (a, x), (b, y), classes[row] = self.pair(shards, place, wanted, draws[1:])
            second = len(head) + len(a) + 1
            last = second + len(b)
            ids[row, : last + 1] = [*head, *a, vocabulary.end, *b, vocabulary.end]
            flags[row, len(head) : second - 1] = x
            flags[row, second:last] = y
            segments[row, second : last + 1] = 1
        shown, hidden = self.masking.hide(ids, flags, noise[:, _CHOICES:], vocabulary)
        inputs = (shown, segments) if self.masking.segments else (shown,)
        weights = np.ones(len(ids), "float32"), hidden.astype("float32")
        return inputs, (classes, ids), weights

    def pair(self, shards, position, size, draws):
        """Return ((ids, flags), (ids, flags), class) of at most `size` tokens."""
        raise NotImplementedError(f"{type(self).__name__} must define pair.")


@dataclass(frozen=True)
class NextSentence(_Pairs):
    """BERT's pairs: half the second parts follow the first, half are of other texts.

    The sentences of a document around a place, T - 3 tokens at most, are cut at one of
    their borders, drawn uniformly (where there is none, between words). With
    probability 1/2 the second part is replaced: another text, around a random place of
    the corpus and of another document if ten draws find one, is cut in the same way,
    and what follows its cut is taken, as much as there is room: class 1, else 0.
    masking, short: `MaskedLM` says how tokens are hidden; with probability `short` the
    pair is made for a length drawn from 2 .. T - 3.
    A batch is ((ids, segments), (classes, labels), (ones, weights)): ids int32 (B, T),
    [CLS] first [SEP] second [SEP], padded; segments 1 for the second part and its
    [SEP]; classes int32 (B,); labels and weights (B, T) as in `MaskedLM`.
    For `with_nsp=True, with_mlm=True`, whose outputs come in this order.
    https://arxiv.org/abs/1810.04805
    """

    def pair(self, shards, position, size, draws):
        text = piece(shards, position, size)
        first, second = parted(text, border(text[1], draws[0]))
        if draws[1] < _HALF:
            return first, second, 0
        document = shards.document_at(position)
        for draw in draws[2 : 2 + _TRIES].tolist():
            place = draw % shards.tokens
            if shards.document_at(place) != document:
                break
        # Parted as the first text is: how it begins must not tell the class.
        begin = beginning(shards, place, size)
        begin += border(text_from(shards, begin, size)[1], draws[2 + _TRIES])
        return first, text_from(shards, begin, max(1, size - len(first[0]))), 1


@dataclass(frozen=True)
class SentenceOrder(_Pairs):
    """ALBERT's pairs: two consecutive parts of a text, half of them swapped: class 1.

    Parts, arguments and batches are those of `NextSentence` without its other texts.
    https://arxiv.org/abs/1909.11942
    """

    def pair(self, shards, position, size, draws):
        text = piece(shards, position, size)
        first, second = parted(text, border(text[1], draws[0]))
        return (first, second, 0) if draws[1] < _HALF else (second, first, 1)
