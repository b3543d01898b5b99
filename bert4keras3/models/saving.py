"""Write a model as a Hugging Face folder, a TensorFlow checkpoint or an .npz."""

import dataclasses
import json
import os
import warnings

import keras
import numpy as np

from bert4keras3.backend.sharding import by_first, process, whole
from bert4keras3.checkpoints.atomic import atomic_write_bytes
from bert4keras3.checkpoints.formats import write_checkpoint
from bert4keras3.layers.adapters import adapted_layers
from bert4keras3.models.config import ALIASES
from bert4keras3.models.published import kept_id
from bert4keras3.tokenizers.vocab import find_vocab, vocab_text

# They say nothing about the computation, but transformers generates by them.
GENERATION_KEYS = (
    "bos_token_id",
    "eos_token_id",
    "sep_token_id",
    "decoder_start_token_id",
    "forced_bos_token_id",
    "forced_eos_token_id",
    "is_encoder_decoder",
)

# format -> (name style, file name, config file name, writer's format)
FORMATS = {
    "hf": ("hf", "model.safetensors", "config.json", "safetensors"),
    "tf": ("tf", "bert_model.ckpt", "bert_config.json", "tf"),
    "npz": ("tf", "model.npz", "config.json", "npz"),
}


def save_folder(t, path, format="hf", dtype=None, vocab=None, overwrite=False):
    """Write config, weights and vocabulary of the Transformer `t` into folder `path`.

    format: "hf" (model.safetensors, names of transformers), "tf" (bert_model.ckpt.*)
    or "npz"; dtype: of the stored arrays, for example "float16", default as they
    are; vocab: a vocab.txt path, {token: id} or a Tokenizer; overwrite: replace
    files of an earlier save. Returns the path of the weights.
    Each file is written aside and renamed. In a run of several processes all of them
    call it, and the first one writes: all return once the files are there, or raise.
    Raises ValueError for an unknown format and for existing files without `overwrite`.
    """
    if format not in FORMATS:
        raise ValueError(
            f"format must be one of {sorted(FORMATS)}. Received: {format!r}"
        )
    style, weights_name, config_name, kind = FORMATS[format]
    # In all processes, and before anything can end this one: others wait for parts.
    arrays = named_arrays(t, style, dtype)
    target = os.path.join(path, weights_name)

    def write():
        os.makedirs(path, exist_ok=True)
        files = {os.path.join(path, config_name): config_text(t).encode()}
        if vocab is not None:
            files[os.path.join(path, "vocab.txt")] = _vocab_bytes(vocab)
        for name in files:
            if os.path.exists(name) and not overwrite:
                raise ValueError(f"{name} exists already. Pass overwrite=True.")
        write_checkpoint(target, arrays, format=kind, overwrite=overwrite)
        for name, content in files.items():
            atomic_write_bytes(name, content)

    by_first(write)
    return target


def named_arrays(t, style, dtype=None):
    """{name in the given style: array} of every weight with a name there.

    Of several processes all call it; only the first one holds them, others get {}.
    """
    variables = t.variables()
    rows = [row for row in t.rows() if row.name(style)]
    nameless = sorted(set(variables) - {row.ours for row in rows})
    if nameless:
        warnings.warn(
            f"not saved, the name table of {type(t).__name__} has no {style!r} names "
            f"for them: {', '.join(nameless[:8])} ({len(nameless)} in all). The "
            "Keras model they belong to keeps them (save_weights), or rows in `names`.",
            stacklevel=3,
        )
    value, arrays = stored_value(t), {}
    for name, group in by_name(rows, style).items():
        # One by one, and in all processes: each may hold parts, and fails as others do.
        array = joined(group, style, value)
        array = array if dtype is None else array.astype(dtype)
        if not process()[0]:
            arrays[name] = array
    return arrays


def stored_value(t):
    """Function of a row: its array, with what LoRA or prompt tokens add to it."""
    layers = adapted_layers(t.layers.values())
    changed = {id(layer.frozen_weight): layer for layer in layers}
    variables = t.variables()

    def value(row):
        variable = variables[row.ours]
        layer = changed.get(id(variable))
        if layer is None:
            return to_numpy(variable)
        merged = keras.ops.cast(layer.merged(**layer.adapter), variable.dtype)
        return whole(merged)

    return value


def by_name(rows, style):
    """{name in that style: its rows}, several where one name holds several of ours."""
    groups = {}
    for row in sorted(rows, key=lambda row: row.place(style)):
        groups.setdefault(row.name(style), []).append(row)
    return groups


def joined(rows, style, value):
    """The array that is stored under the one name of `rows`, from our `value(row)`."""
    parts = [row.written(value(row), style) for row in rows]
    whole = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)
    return np.ascontiguousarray(whole)


def to_numpy(variable):
    """Value of a Keras variable as a numpy array."""
    return whole(variable.value)


def config_text(t):
    """`config_dict` as JSON."""
    return json.dumps(config_dict(t), ensure_ascii=False, indent=2) + "\n"


def config_dict(t):
    """Config of `t` with the keys of transformers, so that both libraries read it."""
    config = t.config
    values = {
        f.name: getattr(config, f.name)
        for f in dataclasses.fields(config)
        if f.name not in ("options", "keep_tokens", "compound_tokens")
    }
    values["vocab_size"] = config.full_vocab_size  # the table is saved as it is now
    values = {
        ALIASES.get(name, (name,))[0]: list(value)
        if isinstance(value, tuple)
        else value
        for name, value in values.items()
        if value is not None
    }
    defaults = type(t).options
    values.update(
        {
            k: v
            for k, v in config.options.items()
            if not k.startswith("with_") and v != defaults[k]  # heads are asked for
        }
    )
    values.setdefault("layer_norm_eps", t.norm_epsilon)
    theirs = {
        name: key
        for key, ours in reversed(t.config_keys.items())
        for name in (ours, *ALIASES.get(ours, ()))
    }
    told = {key: t.given[key] for key in GENERATION_KEYS if key in t.given}
    for key in told:
        if key.endswith("_token_id"):  # the saved table is the one after keep_tokens
            told[key] = kept_id(told[key], t.keep_tokens)
    values = {"model_type": t.model_type, **values, **told, **t.extra_config()}
    return {theirs.get(key, key): one for key, one in t.published(values).items()}


def _vocab_bytes(vocab):
    if isinstance(vocab, (str, os.PathLike)):
        return find_vocab(vocab).read_bytes()
    return vocab_text(getattr(vocab, "_token_dict", vocab)).encode()
