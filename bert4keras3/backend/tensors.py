"""Tensor functions shared by the layers.

Legend: B batch, T query length, S key length, H heads, D head or feature size.
"""

import numpy as np
from keras import ops
from keras.backend import standardize_dtype

# Finite stand-in for minus infinity inside softmax: a row without any visible key
# stays finite (it becomes the plain mean) instead of NaN.
MASKED = float(np.finfo("float32").min) / 2


def is_bool(x):
    """Whether `x` holds booleans, on any backend."""
    return standardize_dtype(x.dtype) == "bool"


def align(tensor, axes, ndim=None):
    """Put axis i of `tensor` at position `axes[i]` of a tensor of rank `ndim`.

    align(x, [0, -1], 4) turns (B, S) into (B, 1, 1, S).
    """
    if len(axes) != len(tensor.shape):
        raise ValueError(
            f"align needs one target axis per tensor axis ({len(tensor.shape)}). "
            f"Received: axes={axes}"
        )
    ndim = ndim or max(axes) + 1
    targets = [a if a >= 0 else a + ndim for a in axes]
    for axis in range(ndim):
        if axis not in targets:
            tensor = ops.expand_dims(tensor, axis)
    return tensor


def root_mean_square(x, axis=None, keepdims=False):
    """sqrt(mean(x ** 2)) along `axis`."""
    return ops.sqrt(ops.mean(ops.square(x), axis=axis, keepdims=keepdims))


def batch_gather(params, indices):
    """Pick rows of `params: (B, T, ...)` by `indices: (B, K)`; result (B, K, ...).

    With indices of rank r the first r - 1 axes are batch axes.
    """
    indices = ops.cast(indices, "int32")
    depth = len(indices.shape)
    for _ in range(len(params.shape) - depth):
        indices = ops.expand_dims(indices, -1)
    return ops.take_along_axis(params, indices, axis=depth - 1)


def sequence_masking(x, mask=None, value=0, axis=None, bias=None, return_mask=False):
    """Replace masked steps of `x` by `value`.

    x: (B, T, ...); mask: (B, T), True or non-zero = keep; axis: the axis (or axes)
    the mask runs along, default 1; value: a number, "-inf" or "inf"; bias: a bool
    tensor (a further mask, broadcastable to x) or a float one (added where kept).
    """
    if mask is None and bias is None:
        return (x, None) if return_mask else x
    if isinstance(value, str):
        value = {"-inf": -np.inf, "inf": np.inf}[value]
    keep = None if mask is None else _aligned_mask(mask, axis, len(x.shape))
    if bias is not None and is_bool(bias):
        keep = bias if keep is None else ops.logical_and(keep, bias)
    elif bias is not None:
        x = x + ops.cast(bias, x.dtype)
    if keep is not None:
        x = ops.where(keep, x, ops.cast(value, x.dtype))
    return (x, keep) if return_mask else x


def _aligned_mask(mask, axis, ndim):
    axes = axis if isinstance(axis, (list, tuple)) else [axis or 1]
    mask = ops.cast(mask, "bool")
    keep = None
    for one in axes:
        aligned = align(mask, [0, one], ndim)
        keep = aligned if keep is None else ops.logical_and(keep, aligned)
    return keep


SCALINGS = {
    "default": (),
    "linear": ("factor",),
    "llama3": (
        "factor",
        "low_freq_factor",
        "high_freq_factor",
        "original_max_position_embeddings",
    ),
}


def sinusoidal_frequencies(dim, base=10000, scaling=None):
    """Angles per position, float64 (dim / 2,): base ** (-2i / dim), then scaled.

    scaling: None, or a dict as in Hugging Face configs: rope_type "linear" divides
    all by `factor`, "llama3" only the slow ones (https://arxiv.org/abs/2407.21783).
    Raises ValueError for an odd dim, other types and missing numbers.
    """
    if dim % 2:
        raise ValueError(f"Sinusoidal tables need an even size. Received: dim={dim}")
    frequencies = np.power(float(base), -np.arange(0, dim, 2) / dim)
    scaling = scaling or {"rope_type": "default"}
    kind = scaling.get("rope_type")
    if kind not in SCALINGS or any(key not in scaling for key in SCALINGS[kind]):
        raise ValueError(
            f"The scaling of rotary positions must be None or a dict of rope_type and "
            f"its numbers, {SCALINGS}. Received: {dict(scaling)}"
        )
    if kind == "default":
        return frequencies
    if kind == "linear":
        return frequencies / scaling["factor"]
    low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
    turns = scaling["original_max_position_embeddings"] * frequencies / (2 * np.pi)
    kept = np.clip((turns - low) / (high - low), 0.0, 1.0)
    return frequencies * (kept + (1.0 - kept) / scaling["factor"])


def sinusoidal_embeddings(pos, dim, base=10000, scaling=None):
    """Sine and cosine table, interleaved: [sin_0, cos_0, sin_1, cos_1, ...].

    pos: (B|1, T), positions of any numeric dtype; dim: even; base, scaling: see
    `sinusoidal_frequencies`. Returns float32 (B|1, T, dim): in bfloat16 neighbouring
    positions beyond 256 would coincide.
    """
    frequencies = sinusoidal_frequencies(dim, base, scaling).astype("float32")
    angles = ops.expand_dims(ops.cast(pos, "float32"), -1)
    angles = angles * ops.convert_to_tensor(frequencies)
    pairs = ops.stack([ops.sin(angles), ops.cos(angles)], axis=-1)
    return ops.reshape(pairs, (*ops.shape(angles)[:-1], dim))


def rotate(x, sinusoidal, halves=False):
    """Turn pairs of features of `x` by the angles of a table.

    x: (B, T, ..., D); sinusoidal: (B|1, T, D) as `sinusoidal_embeddings` makes it
    (RoPE, https://kexue.fm/archives/8265, https://arxiv.org/abs/2104.09864);
    halves: pair feature i with i + D/2, as Llama does, instead of with i + 1.
    """
    for _ in range(len(x.shape) - len(sinusoidal.shape)):
        sinusoidal = ops.expand_dims(sinusoidal, 2)
    sinusoidal = ops.cast(sinusoidal, x.dtype)
    if halves:
        sin, cos = sinusoidal[..., ::2], sinusoidal[..., 1::2]
        first, second = ops.split(x, 2, axis=-1)
        turned = [first * cos - second * sin, second * cos + first * sin]
        return ops.concatenate(turned, axis=-1)
    sin = ops.repeat(sinusoidal[..., ::2], 2, axis=-1)
    cos = ops.repeat(sinusoidal[..., 1::2], 2, axis=-1)
    turned = ops.stack([-x[..., 1::2], x[..., ::2]], axis=-1)
    return x * cos + ops.reshape(turned, ops.shape(x)) * sin


def apply_rotary_position_embeddings(sinusoidal, *tensors):
    """`rotate` for one or several tensors; returns one tensor or a list."""
    if not tensors:
        raise ValueError("apply_rotary_position_embeddings needs at least one tensor.")
    outputs = [rotate(x, sinusoidal) for x in tensors]
    return outputs[0] if len(outputs) == 1 else outputs


def attention_normalize(a, mask=None, axis=-1, method="softmax", bias=None):
    """Turn attention scores into weights.

    a: (B, H, T, S) or (B, T, S); mask: (B, S) visible keys; bias: a bool mask or a
    float term broadcastable to `a`; method: "softmax", "squared_relu"
    (https://arxiv.org/abs/2202.10447) or "softmax_plus", the entropy-invariant
    softmax (https://kexue.fm/archives/9034).
    """
    axis = axis % len(a.shape)
    visible = (
        None if mask is None else align(ops.cast(mask, "bool"), [0, axis], len(a.shape))
    )
    if bias is not None and is_bool(bias):
        visible = bias if visible is None else ops.logical_and(visible, bias)
    elif bias is not None:
        a = a + ops.cast(bias, a.dtype)
    return normalize_scores(a, visible, method, axis)


def normalize_scores(a, visible, method="softmax", axis=-1, shortest=16):
    """`attention_normalize` with one bool tensor `visible`, broadcastable to `a`.

    shortest: for "softmax_plus" a row counts at least that many visible keys.
    Statistics are float32 whatever the dtype of `a`; so is the result.
    """
    a = ops.cast(a, "float32")
    if method == "softmax":
        return ops.softmax(_hide(a, visible), axis=axis)
    if visible is None:
        length = ops.cast(ops.shape(a)[axis], "float32")
    else:
        length = ops.sum(ops.cast(visible, "float32"), axis=axis, keepdims=True)
    if method == "squared_relu":
        weights = ops.square(ops.relu(a)) / length
        return weights if visible is None else ops.where(visible, weights, 0.0)
    if method == "softmax_plus":
        factor = ops.log(ops.maximum(length, float(shortest))) / float(np.log(512.0))
        return ops.softmax(_hide(a * factor, visible), axis=axis)
    raise ValueError(
        "normalization must be 'softmax', 'squared_relu' or 'softmax_plus'. "
        f"Received: {method!r}"
    )


def _hide(a, visible):
    return a if visible is None else ops.where(visible, a, MASKED)


def first_best(x, axis=-1):
    """First index of the largest value along `axis`, int32.

    Two plain reductions, which XLA makes three times as fast as its argmax.
    """
    count = x.shape[axis]
    shape = [1] * len(x.shape)
    shape[axis] = count
    places = ops.reshape(ops.arange(count, dtype="int32"), shape)
    highest = x == ops.max(x, axis=axis, keepdims=True)
    # Beside NaN nothing is equal: the last index, instead of none.
    return ops.min(ops.where(highest, places, count - 1), axis=axis)


def unit_vectors(x):
    """x (..., D) of length one, float32; zeros stay, with gradient zero."""
    x = ops.cast(x, "float32")
    total = ops.sum(ops.square(x), axis=-1, keepdims=True)
    return x * ops.rsqrt(ops.maximum(total, 1e-24))


def unit_tensor(x):
    """x of any shape, scaled to Euclidean length one as a whole; zeros stay."""
    return x / (ops.sqrt(ops.sum(ops.square(x))) + 1e-8)


def piecewise_linear(t, schedule, from_zero=True):
    """Linear interpolation between the points of `schedule`, constant outside.

    t: scalar tensor (a step count); schedule: {step: value}; from_zero: start at
    (0, 0.0) when the first step is not 0.
    """
    points = sorted((int(step), float(value)) for step, value in schedule.items())
    if from_zero and points[0][0] != 0:
        points = [(0, 0.0), *points]
    t = ops.cast(t, "float32")
    value = ops.full_like(t, points[0][1])
    for (t0, v0), (t1, v1) in zip(points, points[1:], strict=False):
        inside = v0 + (v1 - v0) * (t - t0) / (t1 - t0)
        value = ops.where(t >= t0, inside, value)
    return ops.where(t >= points[-1][0], points[-1][1], value)


def divisible_temporal_padding(x, n):
    """Pad axis 1 of `x: (B, T, D)` at the end so that its length divides by `n`."""
    return ops.pad(x, [[0, 0], [0, -x.shape[1] % n], [0, 0]])
