"""PseudoSummaries: T5-PEGASUS, a text and the sentences that say most of it."""

from dataclasses import dataclass

import numpy as np

from bert4keras3.pretraining.objective import Objective, Plan, check_length
from bert4keras3.pretraining.pairs import piece
from bert4keras3.pretraining.shards import PIECE, SPECIAL, SUMMARY, Vocabulary
from bert4keras3.pretraining.summary_marks import summary_of


@dataclass(frozen=True)
class PseudoSummaries(Objective):
    """T5-PEGASUS's pairs: a text, and the sentences that were cut out of it.

    target: U, tokens of a target row; ratio: the target grows until it is longer than
    this share of the source. The sentences of a document around a place, T + U tokens
    at most, are parted by `utils.pseudo_summary`, whose longest common subsequence is
    one of tokens here; of a single sentence the second half is the target. That is
    slow: write shards with `summaries=T + U`, and the pieces and summaries that are
    marked in them are only read.
    A batch is ((source, decoder), labels, weights): source int32 (B, T), [CLS] tokens
    [SEP] (without a start token in the vocabulary: tokens </s>), cut to T and padded;
    labels int32 (B, U), tokens and the end token; decoder int32 (B, U), labels one to
    the right after the start token, or the padding; weights float32 (B, U), 1 up to the
    end token. Nothing is drawn: pairs are the same whenever a place comes again.
    For `model="t5_pegasus"` or "mt5.1.1".
    Raises ValueError for shards whose marks are of longer pieces or another ratio.
    https://github.com/ZhuiyiTechnology/t5-pegasus
    """

    target: int = 128
    ratio: float = 0.25

    def __post_init__(self):
        if self.target < 2 or not self.ratio > 0:
            raise ValueError(
                "target must be at least 2 and ratio above 0. Received: "
                f"target={self.target}, ratio={self.ratio}"
            )

    def plan(self, length: int, vocabulary: Vocabulary) -> Plan:
        check_length(length, 4)
        return Plan(length + self.target, 0)

    def batch(self, shards, positions, noise, length):
        size = length + self.target
        if shards.summaries is None:
            texts = [piece(shards, int(place), size) for place in positions]
            ids, of_source, of_target = self._parted(texts, size)
        else:
            self._check(shards, size)
            ids, of_source, of_target = _marked(shards, positions)
        words, rows = shards.vocabulary, np.arange(len(ids))
        begins = int(words.start is not None)
        source = np.full((len(ids), length), words.pad, "int32")
        tokens, counts = _gathered(ids, of_source, length - 1 - begins, words.pad)
        source[:, begins:-1] = tokens
        source[rows, begins + counts] = words.end
        if begins:
            source[:, 0] = words.start
        tokens, counts = _gathered(ids, of_target, self.target - 1, words.pad)
        labels = np.pad(tokens, [(0, 0), (0, 1)], constant_values=words.pad)
        labels[rows, counts] = words.end
        weights = np.arange(self.target) <= counts[:, None]
        decoder = np.full_like(labels, words.start if begins else words.pad)
        decoder[:, 1:] = np.where(weights[:, 1:], labels[:, :-1], words.pad)
        return (source, decoder), labels, weights.astype("float32")

    def _parted(self, texts, size):
        """Rows of texts: ids (B, S), whether they are of the source, of the target."""
        ids = np.zeros((len(texts), size), "int32")
        of_text, of_target = np.zeros((2, *ids.shape), bool)
        for row, (tokens, flags) in enumerate(texts):
            ids[row, : len(tokens)], of_text[row, : len(tokens)] = tokens, True
            of_target[row, : len(tokens)] = summary_of(tokens, flags, self.ratio)
        return ids, of_text & ~of_target, of_target

    def _check(self, shards, size):
        marks = shards.summaries
        if marks.size > size or marks.ratio != self.ratio:
            raise ValueError(
                f"{shards.folder} has summaries of pieces of up to {marks.size} tokens "
                f"with ratio {marks.ratio}, and rows have {size} (length and target) "
                f"with ratio {self.ratio}. Write the shards with summaries={size} and "
                "that ratio, or without marks."
            )


def _marked(shards, positions):
    """The pieces that hold places: ids, of the source, of the target, all (B, S)."""
    size = shards.summaries.size
    ids, flags = shards.windows(np.asarray(positions) - size, 2 * size + 1)
    column = np.arange(2 * size + 1)
    # The place is in the middle; that of an end token counts as the one before.
    place = (size - ((flags[:, size] & SPECIAL) > 0))[:, None]
    opens = (flags & PIECE) > 0
    first = np.where(opens & (column <= place), column, 0).max(axis=1, keepdims=True)
    over = (opens | ((flags & SPECIAL) > 0)) & (column > place)
    of_text = (column >= first) & (column < over.argmax(axis=1)[:, None])
    of_target = of_text & ((flags & SUMMARY) > 0)
    return ids, of_text & ~of_target, of_target


def _gathered(ids, kept, columns, pad):
    """Rows of the first kept tokens (B, columns), padded; how many there are (B,)."""
    places = np.cumsum(kept, axis=1) - 1
    kept = kept & (places < columns)
    found = np.full((len(ids), columns), pad, "int32")
    found[np.nonzero(kept)[0], places[kept]] = ids[kept]
    return found, kept.sum(axis=1)
