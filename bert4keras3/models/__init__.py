"""Transformer models: `build_transformer_model` and the classes behind it."""

from bert4keras3 import layers
from bert4keras3.backend import Model as Model
from bert4keras3.models.adapter_files import load_adapter as load_adapter
from bert4keras3.models.adapter_files import save_adapter as save_adapter
from bert4keras3.models.adapters import enable_lora as enable_lora
from bert4keras3.models.adapters import enable_prompt as enable_prompt
from bert4keras3.models.adapters import merge_lora as merge_lora
from bert4keras3.models.adapters import merge_prompt as merge_prompt
from bert4keras3.models.applications import LM_Mask as LM_Mask
from bert4keras3.models.applications import UniLM_Mask as UniLM_Mask
from bert4keras3.models.applications import (
    extend_with_language_model as extend_with_language_model,
)
from bert4keras3.models.applications import (
    extend_with_unified_language_model as extend_with_unified_language_model,
)
from bert4keras3.models.build import build_transformer_model as build_transformer_model
from bert4keras3.models.cloze import cloze_model as cloze_model
from bert4keras3.models.cloze import (
    masked_training_model as masked_training_model,
)
from bert4keras3.models.config import ModelConfig as ModelConfig
from bert4keras3.models.layouts import model_parallel as model_parallel
from bert4keras3.models.parallel import data_parallel as data_parallel
from bert4keras3.models.registry import FAMILIES as FAMILIES
from bert4keras3.models.registry import public_class, public_classes
from bert4keras3.models.transformer import Transformer as Transformer

_FUNCTIONS = (
    "build_transformer_model",
    "cloze_model",
    "data_parallel",
    "enable_lora",
    "enable_prompt",
    "extend_with_language_model",
    "extend_with_unified_language_model",
    "load_adapter",
    "masked_training_model",
    "merge_lora",
    "merge_prompt",
    "model_parallel",
    "save_adapter",
)
_CLASSES = [name for name, value in globals().items() if isinstance(value, type)]
# `from bert4keras3.models import *` gives the layers as well, as in bert4keras.
__all__ = sorted({*_FUNCTIONS, *_CLASSES, *public_classes(), *layers.__all__})


def __dir__():
    return sorted({*globals(), *public_classes()})


def __getattr__(name):
    """Import family classes on first use: `from bert4keras3.models import BERT`."""
    found = public_class(name)
    if found is not None:
        return found
    if name in __all__:
        return getattr(layers, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
