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
from bert4keras3.losses.categorical import RDrop as RDrop
from bert4keras3.losses.categorical import SmoothedCrossentropy as SmoothedCrossentropy
from bert4keras3.losses.categorical import (
    SparseSoftmaxCrossentropy as SparseSoftmaxCrossentropy,
)
from bert4keras3.losses.categorical import rdrop as rdrop
from bert4keras3.losses.categorical import (
    smoothed_crossentropy as smoothed_crossentropy,
)
from bert4keras3.losses.categorical import (
    sparse_softmax_crossentropy as sparse_softmax_crossentropy,
)
from bert4keras3.losses.contrastive import (
    ContrastiveCrossentropy as ContrastiveCrossentropy,
)
from bert4keras3.losses.contrastive import FlatNCE as FlatNCE
from bert4keras3.losses.contrastive import (
    SimilarityDistillation as SimilarityDistillation,
)
from bert4keras3.losses.contrastive import (
    contrastive_crossentropy as contrastive_crossentropy,
)
from bert4keras3.losses.contrastive import flat_nce as flat_nce
from bert4keras3.losses.contrastive import (
    similarity_distillation as similarity_distillation,
)
from bert4keras3.losses.margins import MarginSoftmax as MarginSoftmax
from bert4keras3.losses.margins import margin_softmax as margin_softmax
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
from bert4keras3.losses.ranking import CoSENT as CoSENT
from bert4keras3.losses.ranking import cosent as cosent
from bert4keras3.losses.structured import ChainCrossentropy as ChainCrossentropy
from bert4keras3.losses.structured import crf_loss as crf_loss
from bert4keras3.losses.structured import memm_loss as memm_loss

__all__ = [
    "ChainCrossentropy",
    "CoSENT",
    "ContrastiveCrossentropy",
    "FlatNCE",
    "GlobalPointerCrossentropy",
    "MarginSoftmax",
    "MultilabelCategoricalCrossentropy",
    "RDrop",
    "SimilarityDistillation",
    "SmoothedCrossentropy",
    "SparseGlobalPointerCrossentropy",
    "SparseMultilabelCategoricalCrossentropy",
    "SparseSoftmaxCrossentropy",
    "contrastive_crossentropy",
    "cosent",
    "crf_loss",
    "flat_nce",
    "global_pointer_crossentropy",
    "margin_softmax",
    "memm_loss",
    "multilabel_categorical_crossentropy",
    "rdrop",
    "similarity_distillation",
    "smoothed_crossentropy",
    "sparse_global_pointer_crossentropy",
    "sparse_multilabel_categorical_crossentropy",
    "sparse_softmax_crossentropy",
]
