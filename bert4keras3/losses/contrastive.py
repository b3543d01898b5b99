"""Losses of sentence vectors that look at the whole batch: SimBERT, SimCSE, FlatNCE.

B rows, D size of a vector. Rows 2i and 2i + 1 are the two sentences of a pair.
"""

import keras
from keras import ops

from bert4keras3.backend.tensors import unit_vectors
from bert4keras3.layers.base import register
from bert4keras3.layers.pairs import pairs_of


def contrastive_crossentropy(vectors, scale=20.0):
    """Cross entropy of finding a row's partner among all other rows by cosine.

    vectors: (B, D), rows 2i and 2i + 1 belong together; scale: of the cosines, 30 in
    SimBERT, 20 in RoFormer-Sim. Returns float32 (B,).
    Raises ValueError for an odd number of rows; in compiled code, where the number may
    be unknown, the backend raises an error of shapes instead.
    https://kexue.fm/archives/7427, https://kexue.fm/archives/8454
    """
    scores, partner, rows = _cosines(vectors, scale)
    itself = ops.expand_dims(rows, 0) == ops.expand_dims(rows, 1)
    return ops.logsumexp(ops.where(itself, -1e12, scores), axis=-1) - partner


def flat_nce(vectors, scale=20.0):
    """log of the sum of exp(score - partner's score) over the rows of other pairs.

    vectors, scale: as in `contrastive_crossentropy`. The cross entropy is log(1 + e^l)
    of this l: when the partner is found easily, as in small batches, its gradient
    vanishes in rounding. That of l never does; it is the gradient of FlatNCE, whose
    own value is always 1. Returns float32 (B,), which falls below zero.
    Raises ValueError for an odd number of rows or less than two pairs.
    https://kexue.fm/archives/8586, https://arxiv.org/abs/2107.01152
    """
    scores, partner, rows = _cosines(vectors, scale, least=4)
    same = ops.expand_dims(rows // 2, 0) == ops.expand_dims(rows // 2, 1)
    return ops.logsumexp(ops.where(same, -1e12, scores), axis=-1) - partner


def _cosines(vectors, scale, least=0):
    """Scaled cosines (B, B), those of the partners (B,), and row numbers (B,)."""
    z = unit_vectors(vectors)
    u, v = pairs_of(z, least)
    partner = ops.repeat(ops.sum(u * v, axis=-1), 2)
    scores = scale * ops.matmul(z, ops.transpose(z))
    return scores, scale * partner, ops.arange(ops.shape(z)[0])


def similarity_distillation(targets, vectors, scale=100.0):
    """Squared distance of the cosines of all pairs of rows from a teacher's.

    targets: (B, E), the teacher's vectors; vectors: (B, D); neither needs unit length.
    Returns float32 (B,), whose mean is scale * mean((Z Z^T - T T^T)^2).
    https://kexue.fm/archives/8454
    """
    wanted, found = (
        ops.matmul(one, ops.transpose(one))
        for one in map(unit_vectors, (targets, vectors))
    )
    return scale * ops.mean(ops.square(found - wanted), axis=-1)


@register
class ContrastiveCrossentropy(keras.losses.Loss):
    """In-batch contrastive loss: the rest of the batch are the wrong answers.

    Also where a sentence occurs twice: large batches want data without repeats.
    y_true: ignored, batches may have None; y_pred: (B, D), partners in neighbouring
    rows; scale: of the cosines. See `contrastive_crossentropy`.
    """

    def __init__(self, scale=20.0, reduction="sum_over_batch_size", name="contrastive"):
        super().__init__(name=name, reduction=reduction, dtype="float32")
        self.scale = scale

    def __call__(self, y_true, y_pred, sample_weight=None):
        # Keras makes a tensor of the labels, which None is not.
        y_true = y_pred if y_true is None else y_true
        return super().__call__(y_true, y_pred, sample_weight)

    def call(self, y_true, y_pred):
        return contrastive_crossentropy(y_pred, self.scale)

    def get_config(self):
        return {**super().get_config(), "scale": self.scale}


@register
class FlatNCE(ContrastiveCrossentropy):
    """Contrastive loss whose gradient stays large in small batches.

    y_true: ignored, batches may have None; y_pred: (B, D), partners in neighbouring
    rows, two pairs at least; scale: of the cosines. See `flat_nce`.
    """

    def __init__(self, scale=20.0, reduction="sum_over_batch_size", name="flat_nce"):
        super().__init__(scale, reduction, name)

    def call(self, y_true, y_pred):
        return flat_nce(y_pred, self.scale)


@register
class SimilarityDistillation(keras.losses.Loss):
    """Learn a teacher's similarities, as RoFormer-Sim does in its second stage.

    y_true: (B, E), the teacher's vectors; y_pred: (B, D). See
    `similarity_distillation`.
    """

    def __init__(
        self, scale=100.0, reduction="sum_over_batch_size", name="distillation"
    ):
        super().__init__(name=name, reduction=reduction, dtype="float32")
        self.scale = scale

    def call(self, y_true, y_pred):
        return similarity_distillation(y_true, y_pred, self.scale)

    def get_config(self):
        return {**super().get_config(), "scale": self.scale}
