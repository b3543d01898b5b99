"""ZLPR losses of multi-label classification as Keras objects.

Always float32: Keras hands labels over in the dtype of the loss, and bfloat16 would
round class numbers beyond 256.
"""

import keras

from bert4keras3.backend.losses import (
    multilabel_categorical_crossentropy,
    sparse_multilabel_categorical_crossentropy,
)
from bert4keras3.layers.base import register


@register
class MultilabelCategoricalCrossentropy(keras.losses.Loss):
    """ZLPR loss of 0/1 or soft labels (https://arxiv.org/abs/2208.02955).

    y_true: (..., C); y_pred: (..., C) scores without activation, positive =
    predicted. See `multilabel_categorical_crossentropy`.
    """

    def __init__(
        self,
        reduction="sum_over_batch_size",
        name="multilabel_categorical_crossentropy",
    ):
        super().__init__(name=name, reduction=reduction, dtype="float32")

    def call(self, y_true, y_pred):
        return multilabel_categorical_crossentropy(y_true, y_pred)


@register
class SparseMultilabelCategoricalCrossentropy(keras.losses.Loss):
    """ZLPR loss of class numbers, equal to that of their 0/1 labels.

    y_true: (..., K) class numbers; y_pred: (..., C); mask_zero: 0 is padding, and
    class 0 takes no part. See `sparse_multilabel_categorical_crossentropy`.
    """

    def __init__(
        self,
        mask_zero=False,
        reduction="sum_over_batch_size",
        name="sparse_multilabel_categorical_crossentropy",
    ):
        super().__init__(name=name, reduction=reduction, dtype="float32")
        self.mask_zero = mask_zero

    def call(self, y_true, y_pred):
        return sparse_multilabel_categorical_crossentropy(
            y_true, y_pred, self.mask_zero
        )

    def get_config(self):
        return {**super().get_config(), "mask_zero": self.mask_zero}
