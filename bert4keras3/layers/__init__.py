"""Layers of this library, and the Keras ones that training scripts import from here."""

from keras.layers import LSTM as LSTM
from keras.layers import Activation as Activation
from keras.layers import BatchNormalization as BatchNormalization
from keras.layers import Bidirectional as Bidirectional
from keras.layers import Concatenate as Concatenate
from keras.layers import Conv1D as Conv1D
from keras.layers import Flatten as Flatten
from keras.layers import Input as Input
from keras.layers import Lambda as Lambda
from keras.layers import Masking as Masking
from keras.layers import Multiply as Multiply
from keras.layers import Permute as Permute
from keras.layers import Reshape as Reshape
from keras.layers import SpatialDropout1D as SpatialDropout1D
from keras.layers import Subtract as Subtract
from keras.layers import TimeDistributed as TimeDistributed

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
