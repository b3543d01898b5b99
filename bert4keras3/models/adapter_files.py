"""Files of what LoRA and prompt tokens trained, and the methods of Transformer."""

import json
import os
from pathlib import Path

from bert4keras3.backend.assigning import assign_all
from bert4keras3.backend.sharding import by_first, together_over
from bert4keras3.checkpoints.errors import CheckpointError
from bert4keras3.checkpoints.formats import open_checkpoint, write_checkpoint
from bert4keras3.layers import Dense
from bert4keras3.models import adapters
from bert4keras3.models.saving import to_numpy
from bert4keras3.utils.checks import nearest

METADATA = "bert4keras3.adapter"
_LORA = ("lora_kernel_a", "lora_kernel_b")
_PROMPT = "prompt_rows"


class Adapters:
    """Mixin of Transformer: LoRA and prompt tokens.

    The methods are the functions of that name in `models.adapters` and here.
    """

    def enable_lora(
        self, rank=8, targets=adapters.LORA_TARGETS, alpha=None, train=None
    ):
        """Freeze the trunk and train low-rank additions to some of its kernels."""
        adapters.enable_lora(self, rank, targets, alpha, train)

    def merge_lora(self):
        """Write the additions into the kernels."""
        adapters.merge_lora(self)

    def enable_prompt(self, ids, train=None):
        """Freeze the trunk and train the embeddings of some tokens."""
        adapters.enable_prompt(self, ids, train)

    def merge_prompt(self):
        """Write the trained rows into the embedding table."""
        adapters.merge_prompt(self)

    def save_adapter(self, path, overwrite=False):
        """Write what is trainable of the trunk to a safetensors file."""
        return save_adapter(self, path, overwrite)

    def load_adapter(self, path):
        """Read a file of `save_adapter`."""
        load_adapter(self, path)


def save_adapter(model, path, overwrite=False):
    """Write all that is trainable of a model to a small safetensors file.

    model: a Transformer (its trunk) or a Keras model (heads too: give their layers
    names, automatic ones change); path: ends in .safetensors. The tensors have the
    paths of the variables; rank and alpha of every target and the ids of prompt tokens
    are in the metadata, under "bert4keras3.adapter". Returns the path. Of several
    processes all call it, and the first one writes: all return once the file is there,
    or raise.
    Raises ValueError for a model without LoRA or prompt tokens, CheckpointError for
    an existing file without `overwrite`.
    """
    if not adapters.adapted(model):
        raise ValueError(
            "This model has neither LoRA nor prompt tokens: call enable_lora or "
            "enable_prompt first, or save the model."
        )
    arrays = {
        name: to_numpy(variable)
        for name, variable in adapters.variables_of(model).items()
        if variable.trainable
    }
    metadata = {METADATA: json.dumps(_settings(model), ensure_ascii=False)}

    def write():
        return write_checkpoint(path, arrays, metadata=metadata, overwrite=overwrite)[0]

    return by_first(write) or Path(path)


def load_adapter(model, path):
    """Read what `save_adapter` wrote into a model with the same frozen weights.

    A model without LoRA or prompt tokens gets those of the file, and is frozen as the
    saved one was: compile after this. Raises CheckpointError for a damaged file, one
    that is no adapter, and for names, shapes or settings that are not the model's;
    then nothing has changed. Where the weights lie in several processes, all of them
    call it, and all raise if one does.
    """
    settings, arrays, kept, fresh = together_over(
        adapters.variables_of(model).values(), lambda: _read_checked(model, path)
    )
    if fresh:
        lora = {name: tuple(pair) for name, pair in settings["lora"].items()}
        adapters.enable(model, lora, settings["prompt_ids"], kept)
    variables = adapters.variables_of(model)
    assign_all([variables[name] for name in arrays], list(arrays.values()))


def _read_checked(model, path):
    """(settings, {name: array}, names of whole weights, no adapter yet) of a file."""
    with open_checkpoint(os.fspath(path)) as source:
        settings = _read_settings(source, path)
        arrays = {name: source[name].read() for name in source}
    own = _settings(model)
    fresh = not own["lora"] and not own["prompt_ids"]
    if not fresh and own != settings:
        raise CheckpointError(
            f"{path}: trained with other settings: {_differ(settings, own)}. Load it "
            "into a model without LoRA and prompt tokens."
        )
    kept = [name for name in arrays if name.rpartition("/")[2] not in (*_LORA, _PROMPT)]
    shapes = _expected_shapes(model, settings, kept, fresh)
    _check_shapes(path, {name: one.shape for name, one in arrays.items()}, shapes)
    return settings, arrays, kept, fresh


def _settings(model):
    """What besides the numbers says how the model computes, as JSON knows it."""
    dense = adapters.dense_layers(model)
    lora = {
        path: [layer.lora_rank, float(layer.lora_alpha)]
        for path, layer in dense.items()
        if layer.lora_enabled
    }
    rest = [one for one in adapters.adapted(model) if not isinstance(one, Dense)]
    ids = [int(one) for layer in rest for one in layer.prompt_ids]
    return {"lora": lora, "prompt_ids": ids}


def _read_settings(source, path):
    text = getattr(source, "metadata", {}).get(METADATA)
    if text is None:
        raise CheckpointError(
            f"{path} is no adapter: its metadata has no {METADATA!r}. save_adapter "
            "writes such files; read a whole checkpoint with load."
        )
    return json.loads(text)


def _expected_shapes(model, settings, kept, fresh):
    """{name: shape} of what the file must hold to fit the model."""
    variables = adapters.variables_of(model)
    if not fresh:
        return {n: tuple(v.shape) for n, v in variables.items() if v.trainable}
    shapes = {name: tuple(variables[name].shape) for name in kept if name in variables}
    for path, (rank, _) in settings["lora"].items():
        if f"{path}/kernel" in variables:
            size, units = variables[f"{path}/kernel"].shape
            shapes[f"{path}/{_LORA[0]}"] = (size, rank)
            shapes[f"{path}/{_LORA[1]}"] = (rank, units)
    if settings["prompt_ids"]:
        table = adapters.token_table(model)
        name = next(n for n, v in variables.items() if v is table.frozen_weight)
        rows = (len(settings["prompt_ids"]), table.output_dim)
        shapes[f"{name.rpartition('/')[0]}/{_PROMPT}"] = rows
    return shapes


def _check_shapes(path, found, expected):
    for name in found.keys() - expected.keys():
        near = nearest(name, expected)
        raise CheckpointError(f"{path}: the model has no place for {name!r}. {near}")
    for name in expected.keys() - found.keys():
        near = nearest(name, found)
        raise CheckpointError(f"{path}: {name!r}, trained here, is missing. {near}")
    for name, shape in found.items():
        if tuple(shape) != expected[name]:
            raise CheckpointError(
                f"{path}: {name!r} has shape {tuple(shape)}, in the model it is "
                f"{expected[name]}. Load it into a model of the size of its own."
            )


def _differ(theirs, ours):
    """The first settings that are not the same, in words."""
    for key in ("prompt_ids", "lora"):
        if theirs[key] != ours[key]:
            return f"{key} of the file {theirs[key]!r:.200}, here {ours[key]!r:.200}"
    return "none"
