"""Losses of pointer matrices (GlobalPointer) as Keras objects."""

import keras

from bert4keras3.backend.losses import (
    check_head_reduction,
    global_pointer_crossentropy,
    sparse_global_pointer_crossentropy,
)

register = keras.saving.register_keras_serializable(package="bert4keras3")


class PointerLoss(keras.losses.Loss):
    """What both losses share: how the heads join. Float32, so that indices stay exact.

    head_reduction: see `global_pointer_crossentropy`.
    """

    def __init__(self, head_reduction, reduction, name):
        check_head_reduction(head_reduction)
        super().__init__(name=name, reduction=reduction, dtype="float32")
        self.head_reduction = head_reduction

    def get_config(self):
        return {**super().get_config(), "head_reduction": self.head_reduction}


@register
class GlobalPointerCrossentropy(PointerLoss):
    """ZLPR loss of label matrices, one value per sample.

    y_true, y_pred: (B, H, T, T); head_reduction: "sum" or "mean" over the heads. See
    `global_pointer_crossentropy`.
    """

    def __init__(
        self,
        head_reduction="sum",
        reduction="sum_over_batch_size",
        name="global_pointer_crossentropy",
    ):
        super().__init__(head_reduction, reduction, name)

    def call(self, y_true, y_pred):
        return global_pointer_crossentropy(y_true, y_pred, self.head_reduction)


@register
class SparseGlobalPointerCrossentropy(PointerLoss):
    """ZLPR loss of index pairs, one value per sample.

    y_true: (B, H, K, 2), filler (0, 0); y_pred: (B, H, T, T); head_reduction: "sum"
    or "mean" over the heads. See `sparse_global_pointer_crossentropy`; the layer
    `SparsePointerLoss` computes the same with a fraction of the memory.
    """

    def __init__(
        self,
        head_reduction="sum",
        reduction="sum_over_batch_size",
        name="sparse_global_pointer_crossentropy",
    ):
        super().__init__(head_reduction, reduction, name)

    def call(self, y_true, y_pred):
        return sparse_global_pointer_crossentropy(y_true, y_pred, self.head_reduction)
