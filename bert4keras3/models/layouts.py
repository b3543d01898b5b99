"""Which part of every weight a device holds when several devices share one model.

The pairs of matrices of a block follow Megatron-LM (https://arxiv.org/abs/1909.08053):
the first is cut by columns, the second by rows, so that a block has one sum over the
devices per pair and each head is computed on one device.
"""

import math
import numbers
import re

import keras

from bert4keras3.backend.runtime import BACKEND
from bert4keras3.models.build import unbuilt

BATCH, MODEL = "batch", "model"

# (pattern of our names, cut axis from the end (None: whole), why, what must divide)
_RULES = (
    (r"Attention/(position_)?q/(kernel|bias)", 1, "column", "heads"),
    (r"Attention/position_k/(kernel|bias)", 1, "column", "heads"),
    (r"Attention/[kv]/(kernel|bias)", 1, "column", "key heads"),
    (r"Attention/o/kernel", 2, "row", "heads"),
    (r"FeedForward/i\d/(kernel|bias)", 1, "column", "inner"),
    (r"FeedForward/o/kernel", 2, "row", "inner"),
    (r"GatedAttentionUnit/i/(kernel|bias)", 1, "column", "gates"),
    (r"GatedAttentionUnit/o/kernel", 2, "row", "inner"),
    (r"-Convolution/(kernel|bias)", 1, "column", "hidden"),
    (r"/o/bias", None, "added to a sum over the devices", None),
    (r"Norm|_norm|/[qk]/(gamma|beta)", None, "a norm", None),
    (r"Embedding-.*/embeddings", None, "a small table", None),
    (r"-Mapping/", None, "small: around embeddings of another size", None),
    (r"", None, "a head, run once", None),
)


def model_parallel(
    config_path=None,
    mesh=None,
    devices=None,
    checkpoint_path=None,
    model=None,
    application="encoder",
    **kwargs,
):
    """Distribution that cuts the weights of a Transformer over several devices (jax).

    config_path, checkpoint_path, model, application, kwargs: those that
    `build_transformer_model` gets afterwards; mesh: (copies of the model that share a
    batch, devices that share one copy), whose product is the number of devices;
    devices: their names, default `keras.distribution.list_devices()`.
    Returns a `keras.distribution.ModelParallel`, for
    `keras.distribution.set_distribution` before the model is built. In a run of several
    processes each feeds its own rows (`auto_shard_dataset=False`).
    Weights outside of the family's name table, such as your own head, stay whole.
    Raises ValueError for a mesh that does not fit the devices or does not divide the
    heads or the feed-forward network of the model, and on other backends.
    """
    shape = _checked_mesh(mesh, devices)
    kwargs.pop("return_keras_model", None)  # the arguments are those of the build
    transformer, _, _ = unbuilt(
        config_path, checkpoint_path, model, application, **kwargs
    )
    layouts = keras.distribution.LayoutMap(
        keras.distribution.DeviceMesh(shape, (BATCH, MODEL), devices)
    )
    for name, (axes, _) in weight_layouts(transformer, shape[1]).items():
        if any(axes):
            layouts[_pattern(transformer.prefixed(name))] = axes
    return keras.distribution.ModelParallel(
        layout_map=layouts, batch_dim_name=BATCH, auto_shard_dataset=False
    )


def weight_layouts(transformer, count):
    """{name of the table: (axes, why)} of every weight, cut into `count` parts.

    transformer: built or not; axes: one for each axis of the weight, "model" or None,
    () for a whole one. Names have "{i}" where the number of the block stands.
    Raises ValueError when heads or feed-forward network do not divide, or count < 1.
    """
    if count < 1:
        raise ValueError(f"count must be at least 1. Received: {count}")
    sizes = _sizes(transformer)
    _check_sizes(transformer, sizes, count)
    return {row.ours: _layout(row, sizes, count) for row in transformer.names}


def _layout(row, sizes, count):
    rank = 1 if row.ours.endswith(("/bias", "/beta", "/gamma")) else 2
    if row.vocab is not None:
        return _vocabulary_layout(row, rank, sizes, count)
    _, axis, why, size = next(one for one in _RULES if re.search(one[0], row.ours))
    if axis is None:
        return (), why
    if sizes[size] % count:
        return (), f"{size}: {sizes[size]} do not divide by {count}"
    if "-Convolution/kernel" in row.ours:
        rank = 3
    return _cut(rank, rank - axis), f"{why}, by {size}"


def _vocabulary_layout(row, rank, sizes, count):
    """By tokens if their number divides, else by the size of a vector, else whole."""
    if sizes["vocabulary"] % count == 0:
        return _cut(rank, row.vocab), "by tokens"
    whole = f"{sizes['vocabulary']} tokens do not divide by {count}"
    if rank == 2 and sizes["embedding"] % count == 0:
        return _cut(rank, 1 - row.vocab), f"by embedding size: {whole}"
    return (), whole


def _cut(rank, axis):
    return tuple(MODEL if one == axis else None for one in range(rank))


def _sizes(t):
    key_heads = t.config.options.get("num_key_value_heads")
    return {
        "heads": t.num_attention_heads,
        "key heads": key_heads or t.num_attention_heads,
        "inner": t.intermediate_size,
        "gates": 2 * t.intermediate_size + t.attention_key_size,
        "hidden": t.hidden_size,
        "embedding": t.embedding_size,
        "vocabulary": t.vocab_size,
    }


def _check_sizes(t, sizes, count):
    """The blocks must divide; what is shared by heads or seldom may stay whole."""
    gated = any("GatedAttentionUnit" in row.ours for row in t.names)
    needed = {"intermediate_size": sizes["inner"]}
    if not gated:
        needed["num_attention_heads"] = sizes["heads"]
    for name, size in needed.items():
        if size % count:
            limit = math.gcd(*needed.values())
            fits = [one for one in range(1, min(limit, 64) + 1) if limit % one == 0]
            raise ValueError(
                f"{type(t).__name__} with {name}={size} cannot be cut into {count} "
                f"equal parts. Choose the second number of mesh among {fits}."
            )


def _pattern(name):
    """Regular expression of the paths of a weight in all blocks."""
    parts = re.split(r"\{i[^}]*\}", name)
    return r"(?:.*/)?" + r"\d+".join(re.escape(part) for part in parts)


def _checked_mesh(mesh, devices):
    if BACKEND != "jax":
        raise ValueError(
            "model_parallel needs the jax backend: keras.distribution has no other. "
            f"Received: {BACKEND}. Set KERAS_BACKEND=jax."
        )
    there = keras.distribution.list_devices() if devices is None else devices
    whole = isinstance(mesh, (tuple, list)) and len(mesh) == 2
    if not whole or not all(_is_size(one) for one in mesh):
        raise ValueError(
            "mesh must be two positive integers: (copies of the model, devices of a "
            f"copy). Received: {mesh!r}"
        )
    if math.prod(mesh) != len(there):
        raise ValueError(
            f"mesh={tuple(mesh)} needs {math.prod(mesh)} devices. There are "
            f"{len(there)}: {', '.join(map(str, there[:8]))}. Change mesh, or choose "
            "with devices=[...]."
        )
    return tuple(map(int, mesh))


def _is_size(number):
    whole = isinstance(number, numbers.Integral) and not isinstance(number, bool)
    return whole and number > 0
