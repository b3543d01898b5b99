"""MaskedLM: tokens or whole words hidden, drawn anew for every row and epoch."""

from dataclasses import dataclass

import numpy as np

from bert4keras3.pretraining.draws import below, threshold
from bert4keras3.pretraining.objective import (
    Objective,
    Plan,
    check_length,
    check_rate,
    framed,
    starts_of,
    with_starts,
)
from bert4keras3.pretraining.shards import CONTINUES, SPECIAL, Vocabulary


@dataclass(frozen=True)
class MaskedLM(Objective):
    """Masked language model of full rows: documents run on over the rows' ends.

    rate: probability that a word is hidden. Every token of a hidden word by itself
    becomes [MASK] (80%), stays (10%), or becomes any id that is not special (10%).
    whole_word: words as the shards mark them, else every token is a word; a word that
    a row's end cuts is two. packed: every document is a text of its own, which begins
    with the start token, for a model with `packed=True`; as many tokens at the
    row's end make room and are left out in this epoch. texts: N, the most of a row, by
    default length // 8, what is beyond becomes padding. segments: with segment ids.
    A batch is ((ids, segments[, starts]), labels, weights): ids int32 (B, T), [CLS]
    tokens [SEP]; segments int32 (B, T), all 0; starts int32 (B, N); labels int32
    (B, T), the tokens that were there; weights float32 (B, T), 1 where one is hidden.
    For `with_mlm` and `SparseCategoricalCrossentropy(reduction=
    "mean_with_sample_weight")`, or `VocabularyLoss` on labels and weights.
    https://arxiv.org/abs/1810.04805, https://arxiv.org/abs/1907.11692 (FULL-SENTENCES,
    masks drawn anew), https://arxiv.org/abs/1906.08101 (whole words)
    """

    rate: float = 0.15
    whole_word: bool = True
    packed: bool = False
    texts: int | None = None
    segments: bool = True

    def __post_init__(self):
        check_rate("rate", self.rate)
        check_texts(self)

    def plan(self, length: int, vocabulary: Vocabulary) -> Plan:
        check_length(length, 4)
        if vocabulary.mask is None:
            raise ValueError(
                "the vocabulary of the shards has no mask token, which MaskedLM needs. "
                "Write them with a tokenizer that has one."
            )
        inner = length - 1 - (vocabulary.start is not None)
        return Plan(inner, 2 * length)

    def batch(self, shards, positions, noise, length):
        vocabulary = shards.vocabulary
        inner = self.plan(length, vocabulary).stride
        starts = None
        if self.packed:
            ids, flags = shards.windows(positions, length)
            ids, flags, begins = with_starts(ids, flags, length, vocabulary)
            ids[:, -1], flags[:, -1] = vocabulary.end, SPECIAL
            starts, beyond = starts_of(begins, self.texts or max(1, length // 8))
            ids[beyond], flags[beyond] = vocabulary.pad, SPECIAL
        else:
            ids, flags = framed(*shards.windows(positions, inner), vocabulary)
        shown, hidden = self.hide(ids, flags, noise, vocabulary)
        inputs = inputs_of(shown, self.segments, starts)
        return inputs, ids, hidden.astype("float32")

    def hide(self, ids, flags, noise, vocabulary: Vocabulary) -> tuple:
        """Return (ids with hidden tokens replaced, bool: what is hidden), (B, T).

        ids, flags: (B, T), of which those flagged SPECIAL are never hidden; noise:
        (B, 2 * T) uint64.
        """
        length = ids.shape[1]
        chance, kinds = noise[:, :length], noise[:, length:]
        own = chance
        if self.whole_word:
            begins = flags & CONTINUES == 0
            begins[:, 0] = True
            first = np.where(begins, np.arange(length, dtype="int32"), 0)
            first = np.maximum.accumulate(first, axis=1)
            own = np.take_along_axis(chance, first, axis=1)
        hidden = own < threshold(self.rate)
        hidden &= flags & SPECIAL == 0
        kind = kinds[hidden]
        # The low bits of a chance are free: its high ones decided.
        others = below(chance[hidden], vocabulary.size - len(vocabulary.special))
        for i in vocabulary.special:
            others += others >= i
        shown = np.where(kind < threshold(0.9), ids[hidden], others)
        changed = ids.copy()
        changed[hidden] = np.where(kind < threshold(0.8), vocabulary.mask, shown)
        return changed, hidden


def check_texts(objective) -> None:
    """Raise ValueError for a bad number of texts of a packed row."""
    if objective.texts is not None and objective.texts < 1:
        raise ValueError(f"texts must be at least 1. Received: {objective.texts}")


def inputs_of(ids, segments: bool, starts=None) -> tuple:
    """The inputs of a model: ids, segments of 0 if it has such, starts if packed."""
    inputs = (ids, np.zeros_like(ids)) if segments else (ids,)
    return inputs if starts is None else (*inputs, starts)
