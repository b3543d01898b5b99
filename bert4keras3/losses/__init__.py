"""Losses for `model.compile(loss=...)`, and the plain functions behind them."""

from bert4keras3.backend.losses import (
    global_pointer_crossentropy as global_pointer_crossentropy,
)
from bert4keras3.backend.losses import (
    multilabel_categorical_crossentropy,
    sparse_multilabel_categorical_crossentropy,
)
from bert4keras3.backend.losses import (
    sparse_global_pointer_crossentropy as sparse_global_pointer_crossentropy,
)
from bert4keras3.losses.multilabel import (
    MultilabelCategoricalCrossentropy as MultilabelCategoricalCrossentropy,
)
from bert4keras3.losses.multilabel import (
    SparseMultilabelCategoricalCrossentropy as SparseMultilabelCategoricalCrossentropy,
)
from bert4keras3.losses.pointer import (
    GlobalPointerCrossentropy as GlobalPointerCrossentropy,
)
from bert4keras3.losses.pointer import (
    SparseGlobalPointerCrossentropy as SparseGlobalPointerCrossentropy,
)

__all__ = [
    "GlobalPointerCrossentropy",
    "MultilabelCategoricalCrossentropy",
    "SparseGlobalPointerCrossentropy",
    "SparseMultilabelCategoricalCrossentropy",
    "global_pointer_crossentropy",
    "multilabel_categorical_crossentropy",
    "sparse_global_pointer_crossentropy",
    "sparse_multilabel_categorical_crossentropy",
]
