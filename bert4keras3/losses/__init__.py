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
from bert4keras3.losses.contrastive import (
    ContrastiveCrossentropy as ContrastiveCrossentropy,
)
from bert4keras3.losses.contrastive import (
    SimilarityDistillation as SimilarityDistillation,
)
from bert4keras3.losses.contrastive import (
    contrastive_crossentropy as contrastive_crossentropy,
)
from bert4keras3.losses.contrastive import (
    similarity_distillation as similarity_distillation,
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
from bert4keras3.losses.structured import ChainCrossentropy as ChainCrossentropy
from bert4keras3.losses.structured import crf_loss as crf_loss
from bert4keras3.losses.structured import memm_loss as memm_loss

__all__ = [
    "ChainCrossentropy",
    "ContrastiveCrossentropy",
    "GlobalPointerCrossentropy",
    "MultilabelCategoricalCrossentropy",
    "SimilarityDistillation",
    "SparseGlobalPointerCrossentropy",
    "SparseMultilabelCategoricalCrossentropy",
    "contrastive_crossentropy",
    "crf_loss",
    "global_pointer_crossentropy",
    "memm_loss",
    "multilabel_categorical_crossentropy",
    "similarity_distillation",
    "sparse_global_pointer_crossentropy",
    "sparse_multilabel_categorical_crossentropy",
]
