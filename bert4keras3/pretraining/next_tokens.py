"""CausalLM and UniLM: a model that writes the next token."""

from dataclasses import dataclass

import numpy as np

from bert4keras3.pretraining.draws import below
from bert4keras3.pretraining.masking import check_texts, inputs_of
from bert4keras3.pretraining.objective import (
    Objective,
    Plan,
    check_length,
    starts_of,
    with_starts,
)
from bert4keras3.pretraining.shards import Vocabulary


@dataclass(frozen=True)
class CausalLM(Objective):
    """GPT's language model of full rows: documents run on over the rows' ends.

    packed, texts, segments: see `MaskedLM`.
    A batch is ((ids, segments[, starts]), labels, weights): ids int32 (B, T), the start
    token, if the vocabulary has one, and tokens; labels int32 (B, T), the next token of
    each; weights float32 (B, T), 1, and 0 where the next token is of another text of a
    packed row or padding. Not packed, every token of the corpus is a label once.
    For `application="lm"` and a loss of logits or probabilities; a `training_model`
    makes labels itself and leaves these alone.
    """

    packed: bool = False
    texts: int | None = None
    segments: bool = True

    def __post_init__(self):
        check_texts(self)

    def plan(self, length: int, vocabulary: Vocabulary) -> Plan:
        check_length(length, 2)
        return Plan(length, 0)

    def batch(self, shards, positions, noise, length):
        vocabulary = shards.vocabulary
        # One more column: the label of the last token.
        size = length + (vocabulary.start is None)
        ids, flags = shards.windows(positions, size)
        starts, weights = None, np.ones((len(ids), length), "float32")
        if self.packed:
            ids, flags, begins = with_starts(ids, flags, length + 1, vocabulary)
            texts = self.texts or max(1, length // 8)
            starts = starts_of(begins[:, :length], texts)[0]
            beyond = starts_of(begins, texts)[1]
            ids[beyond] = vocabulary.pad
            weights[begins[:, 1:] | beyond[:, 1:]] = 0.0
        elif vocabulary.start is not None:
            ids = np.insert(ids, 0, vocabulary.start, axis=1)
        rows = np.ascontiguousarray(ids[:, :-1])
        labels = np.ascontiguousarray(ids[:, 1:])
        return inputs_of(rows, self.segments, starts), labels, weights


@dataclass(frozen=True)
class UniLM(Objective):
    """A row cut in two: the first part is read both ways, the second is written.

    A row of T tokens is [CLS] source [SEP] target, of consecutive tokens; the source
    has 1 to all but one of them, drawn uniformly, as in bert4keras's pretraining.
    A batch is ((ids, segments), labels, weights): ids int32 (B, T); segments int32
    (B, T), 0 up to the [SEP] and 1 after it; labels int32 (B, T), the next token of
    each; weights float32 (B, T), 1 where that is of the target.
    For `application="unilm"`, with a loss of logits or its `training_model`.
    https://arxiv.org/abs/1905.03197
    """

    def plan(self, length: int, vocabulary: Vocabulary) -> Plan:
        check_length(length, 4)
        return Plan(length - 1 - (vocabulary.start is not None), 1)

    def batch(self, shards, positions, noise, length):
        vocabulary = shards.vocabulary
        tokens, _ = shards.windows(positions, self.plan(length, vocabulary).stride)
        begins = int(vocabulary.start is not None)
        # Columns of the [SEP]s.
        border = begins + 1 + below(noise[:, :1], tokens.shape[1] - 1)
        columns = np.arange(length)
        target = columns > border
        ids = np.empty((len(tokens), length), "int32")
        read = np.arange(tokens.shape[1]) < border - begins
        ids[(columns >= begins) & (columns < border)] = tokens[read]
        ids[target] = tokens[~read]
        np.put_along_axis(ids, border, vocabulary.end, axis=1)
        if begins:
            ids[:, 0] = vocabulary.start
        segments = target.astype("int32")
        labels, weights = np.zeros_like(ids), np.zeros(ids.shape, "float32")
        labels[:, :-1], weights[:, :-1] = ids[:, 1:], segments[:, 1:]
        return (ids, segments), labels, weights
