"""PseudoSummaries: T5-PEGASUS, a text and the sentences that say most of it."""

from dataclasses import dataclass

import numpy as np

from bert4keras3.pretraining.objective import Objective, Plan, check_length
from bert4keras3.pretraining.pairs import border, piece
from bert4keras3.pretraining.shards import SENTENCE, Vocabulary
from bert4keras3.utils.pseudo_summary import pseudo_summary

_NO_DRAW = np.uint64(1 << 31)  # the middle: a text of one sentence is halved


@dataclass(frozen=True)
class PseudoSummaries(Objective):
    """T5-PEGASUS's pairs: a text, and the sentences that were cut out of it.

    target: U, tokens of a target row; ratio: the target grows until it is longer than
    this share of the source. The sentences of a document around a place, T + U tokens
    at most, are parted by `utils.pseudo_summary`, whose longest common subsequence is
    one of tokens here; of a single sentence the second half is the target.
    A batch is ((source, decoder), labels, weights): source int32 (B, T), [CLS] tokens
    [SEP] (without a start token in the vocabulary: tokens </s>), cut to T and padded;
    labels int32 (B, U), tokens and the end token; decoder int32 (B, U), labels one to
    the right after the start token, or the padding; weights float32 (B, U), 1 up to the
    end token. Nothing is drawn: pairs are the same whenever a place comes again.
    For `model="t5_pegasus"` or "mt5.1.1".
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
        words = shards.vocabulary
        head = [] if words.start is None else [words.start]
        start = words.pad if words.start is None else words.start
        source = np.full((len(positions), length), words.pad, "int32")
        labels = np.full((len(positions), self.target), words.pad, "int32")
        weights = np.zeros(labels.shape, "float32")
        for row, place in enumerate(np.asarray(positions).tolist()):
            read, written = self.pair(*piece(shards, place, length + self.target))
            read = [*head, *read[: length - 1 - len(head)], words.end]
            written = [*written[: self.target - 1], words.end]
            source[row, : len(read)] = read
            labels[row, : len(written)] = written
            weights[row, : len(written)] = 1.0
        decoder = np.hstack([np.full((len(labels), 1), start, "int32"), labels[:, :-1]])
        decoder[:, 1:][weights[:, 1:] == 0] = words.pad
        return (source, decoder), labels, weights

    def pair(self, ids: np.ndarray, flags: np.ndarray) -> tuple[list, list]:
        """(source, target) of a text (n,): lists of ids."""
        cuts = np.flatnonzero(flags[1:] & SENTENCE) + 1
        if not len(cuts):
            cut = border(flags, _NO_DRAW)
            return ids[:cut].tolist(), ids[cut:].tolist()
        # A token is a character of its own, so that texts are what is compared.
        sentences = ["".join(map(chr, part)) for part in np.split(ids, cuts)]
        source, target = pseudo_summary(sentences, self.ratio)
        return list(map(ord, source)), list(map(ord, target))
