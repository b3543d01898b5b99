"""Losses of pointer matrices (GlobalPointer) as Keras objects."""

import keras

from bert4keras3.backend.losses import (
    check_head_reduction,
    global_pointer_crossentropy,
    sparse_global_pointer_crossentropy,
)
from bert4keras3.layers.base import register


@register
class GlobalPointerCrossentropy(keras.losses.Loss):
    """ZLPR loss of label matrices, one value per sample; float32.

    y_true, y_pred: (B, H, T, T); head_reduction: "sum" or "mean" over the heads. See
    `global_pointer_crossentropy`.
    """

    def __init__(
        self, head_reduction="sum", reduction="sum_over_batch_size", name=None
    ):
        check_head_reduction(head_reduction)
        super().__init__(name=name, reduction=reduction, dtype="float32")
        self.head_reduction = head_reduction

    def call(self, y_true, y_pred):
        return global_pointer_crossentropy(y_true, y_pred, self.head_reduction)

    def get_config(self):
        return {**super().get_config(), "head_reduction": self.head_reduction}


@register
class SparseGlobalPointerCrossentropy(GlobalPointerCrossentropy):
    """ZLPR loss of index pairs; float32, so that indices stay exact.

    y_true: (B, H, K, 2), filler (0, 0); y_pred: (B, H, T, T); the arguments are those
    of `GlobalPointerCrossentropy`. See `sparse_global_pointer_crossentropy`; the layer
    `SparsePointerLoss` computes the same with a fraction of the memory.
    """

    def call(self, y_true, y_pred):
        return sparse_global_pointer_crossentropy(y_true, y_pred, self.head_reduction)
