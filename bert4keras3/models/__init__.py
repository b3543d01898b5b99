"""Transformer models: `build_transformer_model` and the classes behind it."""

from bert4keras3.models.applications import LM_Mask as LM_Mask
from bert4keras3.models.applications import UniLM_Mask as UniLM_Mask
from bert4keras3.models.applications import (
    extend_with_language_model as extend_with_language_model,
)
from bert4keras3.models.applications import (
    extend_with_unified_language_model as extend_with_unified_language_model,
)
from bert4keras3.models.build import build_transformer_model as build_transformer_model
from bert4keras3.models.config import ModelConfig as ModelConfig
from bert4keras3.models.registry import FAMILIES as FAMILIES
from bert4keras3.models.transformer import Transformer as Transformer


def __dir__():
    return sorted({*globals(), *(one.split(":")[1] for one in FAMILIES.values())})


def __getattr__(name):
    """Import family classes on first use: `from bert4keras3.models import BERT`."""
    import importlib

    for target in FAMILIES.values():
        module, cls = target.split(":")
        if cls == name:
            return getattr(importlib.import_module(module), cls)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
