"""Variants of cross entropy: R-Drop, label smoothing, sparse softmax.

B rows, C classes; `...` are further axes, such as the tokens of a text.
"""

import keras
from keras import ops

from bert4keras3.backend.losses import class_numbers, log_probabilities
from bert4keras3.layers.base import register


def rdrop(y_true, y_pred, alpha=4.0, from_logits=False):
    """Cross entropy, plus how far apart two passes with other dropout are (R-Drop).

    y_true: class numbers (B, ...) or (B, ..., 1), or one-hot (B, ..., C); y_pred:
    (B, ..., C) probabilities, or scores if from_logits; rows 2i and 2i + 1 are the
    same text twice (`utils.data.repeat_rows`). alpha: weight; each row gets
    alpha / 4 * (KL(p, q) + KL(q, p)) of its pair. Returns float32 (B, ...).
    Raises ValueError for an odd number of rows and for labels that are no classes
    (NaN in compiled code). https://kexue.fm/archives/8496, arXiv 2106.14448
    """
    rows = y_pred.shape[0]
    if rows is not None and rows % 2:
        raise ValueError(
            "R-Drop needs every text twice, in rows 2i and 2i + 1, so an even number "
            f"of rows. Received: y_pred {tuple(y_pred.shape)}. "
            "utils.data.repeat_rows makes such batches."
        )
    logs = log_probabilities(y_pred, from_logits)
    pairs = ops.reshape(logs, (-1, 2, *ops.shape(logs)[1:]))
    one, two = pairs[:, 0], pairs[:, 1]
    both = ops.sum((ops.exp(one) - ops.exp(two)) * (one - two), axis=-1)
    return _crossentropy(y_true, logs) + alpha / 4 * ops.repeat(both, 2, axis=0)


def smoothed_crossentropy(y_true, y_pred, smoothing=0.1, from_logits=False):
    """Cross entropy of class numbers with label smoothing.

    y_true: (...) or (..., 1) class numbers; y_pred: (..., C) probabilities, or scores
    if from_logits; smoothing: the share of the target that all classes get in equal
    parts. Returns float32 (...). A label that is no class raises ValueError, in
    compiled code it gives NaN. https://arxiv.org/abs/1512.00567
    """
    logs = log_probabilities(y_pred, from_logits)
    everywhere = -ops.mean(logs, axis=-1)
    return (1 - smoothing) * _crossentropy(y_true, logs) + smoothing * everywhere


def sparse_softmax_crossentropy(y_true, y_pred, topk=10):
    """Cross entropy of a softmax over the k largest scores only.

    y_true: (...) or (..., 1) class numbers; y_pred: (..., C) scores; topk: how many
    scores the denominator has, those equal to the k-th too. What is far below them is
    not pushed further down, which helps when fine-tuning, not when pretraining.
    Returns float32 (...). A label that is no class raises ValueError, in compiled code
    it gives NaN. https://kexue.fm/archives/8046, arXiv 2112.12433
    """
    scores = ops.cast(y_pred, "float32")
    kept = scores
    if topk < scores.shape[-1]:
        least = ops.top_k(ops.stop_gradient(scores), topk)[0][..., -1:]
        kept = ops.where(scores >= least, scores, float("-inf"))
    return ops.logsumexp(kept, axis=-1) + _crossentropy(y_true, scores)


def _crossentropy(y_true, logs):
    """-logs at the classes y_true: numbers or one-hot -> float32 (...)."""
    classes, rank = logs.shape[-1], len(logs.shape)
    y_true = ops.convert_to_tensor(y_true)
    if len(y_true.shape) == rank and y_true.shape[-1] == classes:
        return -ops.sum(ops.cast(y_true, "float32") * logs, axis=-1)
    if len(y_true.shape) == rank - 1:
        y_true = ops.expand_dims(y_true, -1)
    if len(y_true.shape) != rank or y_true.shape[-1] not in (1, None):
        raise ValueError(
            f"y_pred {tuple(logs.shape)} needs labels of the same shape (one-hot) or "
            "one class number in place of the last axis. "
            f"Received: y_true {tuple(y_true.shape)}"
        )
    ids, inside = class_numbers(y_true, classes)
    found = ops.take_along_axis(logs, ops.clip(ids, 0, classes - 1), axis=-1)
    return -ops.where(inside, found, float("nan"))[..., 0]


@register
class RDrop(keras.losses.Loss):
    """Cross entropy of batches with every text twice, plus the divergence of the two.

    y_true: class numbers or one-hot; y_pred: (B, ..., C); alpha: weight of the
    divergence; from_logits: y_pred are scores. The model needs dropout. See `rdrop`.
    """

    def __init__(
        self,
        alpha=4.0,
        from_logits=False,
        reduction="sum_over_batch_size",
        name="rdrop",
    ):
        super().__init__(name=name, reduction=reduction, dtype="float32")
        self.alpha = alpha
        self.from_logits = from_logits

    def call(self, y_true, y_pred):
        return rdrop(y_true, y_pred, self.alpha, self.from_logits)

    def get_config(self):
        own = {"alpha": self.alpha, "from_logits": self.from_logits}
        return {**super().get_config(), **own}


@register
class SmoothedCrossentropy(keras.losses.Loss):
    """Sparse categorical cross entropy with label smoothing, which Keras's has not.

    y_true: class numbers; y_pred: (..., C); smoothing: in [0, 1); from_logits: y_pred
    are scores. See `smoothed_crossentropy`.
    """

    def __init__(
        self,
        smoothing=0.1,
        from_logits=False,
        reduction="sum_over_batch_size",
        name="smoothed_crossentropy",
    ):
        super().__init__(name=name, reduction=reduction, dtype="float32")
        if not 0 <= smoothing < 1:
            raise ValueError(f"smoothing must be in [0, 1). Received: {smoothing!r}")
        self.smoothing = smoothing
        self.from_logits = from_logits

    def call(self, y_true, y_pred):
        return smoothed_crossentropy(y_true, y_pred, self.smoothing, self.from_logits)

    def get_config(self):
        own = {"smoothing": self.smoothing, "from_logits": self.from_logits}
        return {**super().get_config(), **own}


@register
class SparseSoftmaxCrossentropy(keras.losses.Loss):
    """Cross entropy of the softmax over the k largest scores.

    y_true: class numbers; y_pred: (..., C) scores without activation; topk: 1 or
    more. See `sparse_softmax_crossentropy`.
    """

    def __init__(
        self,
        topk=10,
        reduction="sum_over_batch_size",
        name="sparse_softmax_crossentropy",
    ):
        super().__init__(name=name, reduction=reduction, dtype="float32")
        if topk < 1:
            raise ValueError(f"topk must be 1 or more. Received: {topk!r}")
        self.topk = topk

    def call(self, y_true, y_pred):
        return sparse_softmax_crossentropy(y_true, y_pred, self.topk)

    def get_config(self):
        return {**super().get_config(), "topk": self.topk}
