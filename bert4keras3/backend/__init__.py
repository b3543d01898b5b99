"""Backend-neutral functions: tensors, activations, the graph, and legacy `K`."""

import keras as keras
from keras import ops as ops

from bert4keras3.backend import legacy as K  # noqa: N812  (the name scripts use)
from bert4keras3.backend.activations import activation_name as activation_name
from bert4keras3.backend.activations import gelu_erf as gelu_erf
from bert4keras3.backend.activations import gelu_tanh as gelu_tanh
from bert4keras3.backend.activations import get_activation as get_activation
from bert4keras3.backend.activations import leaky_relu as leaky_relu
from bert4keras3.backend.activations import set_gelu as set_gelu
from bert4keras3.backend.activations import swish as swish
from bert4keras3.backend.compilation import compilation_cache as compilation_cache
from bert4keras3.backend.devices import get_available_gpus as get_available_gpus
from bert4keras3.backend.graph import get_output_at as get_output_at
from bert4keras3.backend.graph import search_layer as search_layer
from bert4keras3.backend.legacy import flatten as flatten
from bert4keras3.backend.legacy import reshape as reshape
from bert4keras3.backend.legacy import where as where
from bert4keras3.backend.legacy_state import recompute_grad as recompute_grad
from bert4keras3.backend.losses import (
    multilabel_categorical_crossentropy,
    sparse_multilabel_categorical_crossentropy,
)
from bert4keras3.backend.model import Model as Model
from bert4keras3.backend.tensors import align as align
from bert4keras3.backend.tensors import (
    apply_rotary_position_embeddings as apply_rotary_position_embeddings,
)
from bert4keras3.backend.tensors import attention_normalize as attention_normalize
from bert4keras3.backend.tensors import batch_gather as batch_gather
from bert4keras3.backend.tensors import (
    divisible_temporal_padding as divisible_temporal_padding,
)
from bert4keras3.backend.tensors import piecewise_linear as piecewise_linear
from bert4keras3.backend.tensors import root_mean_square as root_mean_square
from bert4keras3.backend.tensors import rotate as rotate
from bert4keras3.backend.tensors import sequence_masking as sequence_masking
from bert4keras3.backend.tensors import sinusoidal_embeddings as sinusoidal_embeddings

__all__ = [
    "K",
    "Model",
    "activation_name",
    "align",
    "apply_rotary_position_embeddings",
    "attention_normalize",
    "batch_gather",
    "compilation_cache",
    "divisible_temporal_padding",
    "flatten",
    "gelu_erf",
    "gelu_tanh",
    "get_activation",
    "get_available_gpus",
    "get_output_at",
    "keras",
    "leaky_relu",
    "multilabel_categorical_crossentropy",
    "ops",
    "piecewise_linear",
    "recompute_grad",
    "reshape",
    "root_mean_square",
    "rotate",
    "search_layer",
    "sequence_masking",
    "set_gelu",
    "sinusoidal_embeddings",
    "sparse_multilabel_categorical_crossentropy",
    "swish",
    "where",
]
