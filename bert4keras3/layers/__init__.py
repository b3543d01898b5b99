"""Layers of this library, and all of Keras's, which training scripts import from here.

`from bert4keras3.layers import *` gives what it gave in bert4keras: these layers, the
Keras ones that have no counterpart here, `keras`, `K` and the functions of the backend.
"""

import keras
from keras import activations as activations
from keras import initializers as initializers

from bert4keras3 import backend
from bert4keras3.layers.attention import MultiHeadAttention as MultiHeadAttention
from bert4keras3.layers.base import Layer as Layer
from bert4keras3.layers.buckets import (
    RelativePositionEmbeddingT5 as RelativePositionEmbeddingT5,
)
from bert4keras3.layers.crf import ConditionalRandomField as ConditionalRandomField
from bert4keras3.layers.dense import Dense as Dense
from bert4keras3.layers.disentangled import (
    DisentangledAttention as DisentangledAttention,
)
from bert4keras3.layers.disentangled import DistanceEmbedding as DistanceEmbedding
from bert4keras3.layers.disentangled import MaskedConv1D as MaskedConv1D
from bert4keras3.layers.embeddings import Embedding as Embedding
from bert4keras3.layers.embeddings import PositionEmbedding as PositionEmbedding
from bert4keras3.layers.embeddings import (
    SinusoidalPositionEmbedding as SinusoidalPositionEmbedding,
)
from bert4keras3.layers.feedforward import FeedForward as FeedForward
from bert4keras3.layers.gau import GatedAttentionUnit as GatedAttentionUnit
from bert4keras3.layers.initializers import DepthScaledNormal as DepthScaledNormal
from bert4keras3.layers.initializers import Sinusoidal as Sinusoidal
from bert4keras3.layers.memm import (
    MaximumEntropyMarkovModel as MaximumEntropyMarkovModel,
)
from bert4keras3.layers.normalization import LayerNormalization as LayerNormalization
from bert4keras3.layers.normalization import ScaleOffset as ScaleOffset
from bert4keras3.layers.packing import FirstTokens as FirstTokens
from bert4keras3.layers.packing import PackedPooling as PackedPooling
from bert4keras3.layers.packing import PackedPositions as PackedPositions
from bert4keras3.layers.pairs import CosineDense as CosineDense
from bert4keras3.layers.pairs import PairFeatures as PairFeatures
from bert4keras3.layers.pointer import (
    EfficientGlobalPointer as EfficientGlobalPointer,
)
from bert4keras3.layers.pointer import GlobalPointer as GlobalPointer
from bert4keras3.layers.pointer import SparsePointerLoss as SparsePointerLoss
from bert4keras3.layers.relative import (
    RelativePositionEmbedding as RelativePositionEmbedding,
)
from bert4keras3.layers.structure import Add as Add
from bert4keras3.layers.structure import Concatenate1D as Concatenate1D
from bert4keras3.layers.structure import Dropout as Dropout
from bert4keras3.layers.structure import FirstToken as FirstToken
from bert4keras3.layers.structure import (
    GlobalAveragePooling1D as GlobalAveragePooling1D,
)
from bert4keras3.layers.structure import GlobalMaxPooling1D as GlobalMaxPooling1D
from bert4keras3.layers.structure import Loss as Loss
from bert4keras3.layers.visibility import AttentionMask as AttentionMask
from bert4keras3.layers.visibility import MemoryMask as MemoryMask

_OWN = [name for name, value in globals().items() if isinstance(value, type)]
_KERAS = [name for name in dir(keras.layers) if name[0] != "_"]
__all__ = sorted({*_OWN, *_KERAS, *backend.__all__, "activations", "initializers"})


def __getattr__(name):
    """Keras's own layers, and what scripts took from the backend by way of here."""
    if name in __all__:
        return getattr(keras.layers if hasattr(keras.layers, name) else backend, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
