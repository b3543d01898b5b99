"""build_transformer_model: from config and checkpoint to a Keras model."""

import inspect
import os
import warnings

from bert4keras3.checkpoints.formats import open_checkpoint
from bert4keras3.models import registry
from bert4keras3.models.applications import APPLICATIONS
from bert4keras3.models.config_files import read_config
from bert4keras3.utils.assets import asset_path

_BUILD_ARGUMENTS = (
    "attention_caches",
    "layer_norm_cond",
    "layer_norm_cond_hidden_size",
    "layer_norm_cond_hidden_act",
    "additional_input_layers",
    "recompute",
    "packed",
)


def build_transformer_model(
    config_path=None,
    checkpoint_path=None,
    model=None,
    application="encoder",
    return_keras_model=True,
    **kwargs,
):
    """Build a pretrained Transformer, ready for a head and `fit`.

    config_path: JSON file, dict, a folder holding config and weights, the name of an
    embedded model ("zh-tiny"), or None (everything from kwargs); checkpoint_path:
    TensorFlow checkpoint, Hugging Face file or folder, .npz or {name: array}; None
    takes the folder's own weights, or random ones when config_path is no folder;
    model: family name or Transformer subclass, default the config's model_type,
    else "bert"; application: "encoder", "lm" or "unilm"; return_keras_model: False
    returns the Transformer, with `.model`, `.layers`, `.load`, `.save`;
    kwargs: config keys, family options and arguments of `Transformer.build`.
    Raises ValueError for unknown arguments, keys, families and unfit checkpoints.
    """
    transformer, checkpoint_path, building = unbuilt(
        config_path, checkpoint_path, model, application, **kwargs
    )
    awaiting = {} if checkpoint_path is None else {"awaiting_weights": True}
    transformer.build(**building, **awaiting)
    if checkpoint_path is not None:
        transformer.load(asset_path(checkpoint_path))
    return transformer.model if return_keras_model else transformer


def unbuilt(
    config_path=None, checkpoint_path=None, model=None, application="encoder", **kwargs
):
    """(Transformer, checkpoint or None, arguments of its `build`): nothing built yet.

    The arguments are those of `build_transformer_model`.
    """
    config_path = asset_path(config_path, weights=checkpoint_path is None)
    origin, values = read_config(config_path)
    if checkpoint_path is None and _is_folder(config_path):
        checkpoint_path = config_path
    cls = registry.find(model or family_of(values))
    _compare_family(cls, model, values)
    if str(application).lower() not in APPLICATIONS:
        raise ValueError(
            f"application must be one of {sorted(APPLICATIONS)}. "
            f"Received: {application!r}"
        )
    _move_constructor_keys(cls, values, kwargs)
    cls = APPLICATIONS[str(application).lower()](cls)
    values = informed(cls, values, checkpoint_path)
    building = {k: kwargs.pop(k) for k in _BUILD_ARGUMENTS if k in kwargs}
    return cls(config=(origin, values), **kwargs), checkpoint_path, building


def _is_folder(path):
    return isinstance(path, (str, os.PathLike)) and os.path.isdir(path)


def _compare_family(cls, model, values):
    """Warn when `model` is a family and the config names another one."""
    if not isinstance(model, str) or "model_type" not in values:
        return
    told = family_of(values)
    if told not in registry.FAMILIES:
        return
    if registry.find(told).model_type not in (cls.model_type, *cls.also_reads):
        warnings.warn(
            f"model={model!r} was asked for, but the config says model_type="
            f"{values['model_type']!r}: if the weights are that family's, the outputs "
            "are wrong. Leave model= out to follow the config.",
            stacklevel=4,
        )


def family_of(values):
    """Family name that a config's model_type gives; configs without one are BERT's."""
    for name in values.get("architectures") or ():
        if name in registry.ARCHITECTURES:
            return registry.ARCHITECTURES[name]
    family = str(values.get("model_type", "bert")).lower()
    if family == "roformer" and values.get("norm_type") == "rms_norm":
        return "roformer_v2"  # the published folders use one model_type for both
    return family if family in registry.FAMILIES or "model_type" in values else "bert"


def informed(cls, values, checkpoint):
    """Config `values`, completed by what only the checkpoint tells the family `cls`."""
    if checkpoint is None or cls.informed is None:
        return values
    with open_checkpoint(asset_path(checkpoint)) as source:
        return cls.informed(values, source)


def _move_constructor_keys(cls, values, kwargs):
    """Hand config keys that a user's own class takes by name to its constructor."""
    for one in cls.__mro__:
        init = one.__dict__.get("__init__")
        if init is None or one.__module__.startswith("bert4keras3."):
            continue
        for name in inspect.signature(init).parameters:
            if name in values:
                kwargs.setdefault(name, values.pop(name))
