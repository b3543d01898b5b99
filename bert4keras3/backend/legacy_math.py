"""Keras 2 backend arithmetic (`K.sum`, `K.softmax`, ...) on `keras.ops`.

Arguments keep the order and defaults of Keras 2; axes may be an int, a list or
None. Python numbers (a static `K.shape(x)[1]`) stay Python numbers where Keras 2
code goes on to use them as sizes. The facade is `bert4keras3.backend.legacy`.

Several names hide Python builtins on purpose: they are the public names.
"""

import string

import numpy as np
from keras import backend, ops, random

# l2_normalize of Keras 2 bounds the squared norm by this, not by K.epsilon().
L2_EPSILON = 1e-12


def _axis(axis):
    """Axis lists, which Keras 2 took, as the tuples that `keras.ops` takes."""
    return tuple(axis) if isinstance(axis, list) else axis


def _floats(x):
    """`x` as a tensor; bools become floats, as Keras 2's mean and var did."""
    x = x if backend.is_keras_tensor(x) else ops.convert_to_tensor(x)
    is_bool = backend.standardize_dtype(x.dtype) == "bool"
    return ops.cast(x, backend.floatx()) if is_bool else x


def is_static(x):
    """Whether `x` is plain Python or numpy integers, e.g. a known shape."""
    if isinstance(x, (tuple, list)):
        return all_static(x)
    if isinstance(x, np.ndarray):
        return np.issubdtype(x.dtype, np.integer)
    return isinstance(x, (int, np.integer)) and not isinstance(x, bool)


def all_static(xs):
    """Whether every element of `xs` is static, see `is_static`."""
    return not [x for x in xs if not is_static(x)]


# Reductions.


def sum(x, axis=None, keepdims=False):
    return ops.sum(x, axis=_axis(axis), keepdims=keepdims)


def mean(x, axis=None, keepdims=False):
    return ops.mean(_floats(x), axis=_axis(axis), keepdims=keepdims)


def prod(x, axis=None, keepdims=False):
    if axis is None and not keepdims and is_static(x):
        return int(np.prod(x))
    return ops.prod(x, axis=_axis(axis), keepdims=keepdims)


def max(x, axis=None, keepdims=False):
    return ops.max(x, axis=_axis(axis), keepdims=keepdims)


def min(x, axis=None, keepdims=False):
    return ops.min(x, axis=_axis(axis), keepdims=keepdims)


def any(x, axis=None, keepdims=False):
    return ops.any(ops.cast(x, "bool"), axis=_axis(axis), keepdims=keepdims)


def all(x, axis=None, keepdims=False):
    return ops.all(ops.cast(x, "bool"), axis=_axis(axis), keepdims=keepdims)


def std(x, axis=None, keepdims=False):
    return ops.std(_floats(x), axis=_axis(axis), keepdims=keepdims)


def var(x, axis=None, keepdims=False):
    return ops.var(_floats(x), axis=_axis(axis), keepdims=keepdims)


def logsumexp(x, axis=None, keepdims=False):
    return ops.logsumexp(x, axis=_axis(axis), keepdims=keepdims)


def argmax(x, axis=-1):
    return ops.argmax(x, axis=axis)


def argmin(x, axis=-1):
    return ops.argmin(x, axis=axis)


def cumsum(x, axis=0):
    return ops.cumsum(x, axis=axis)


def cumprod(x, axis=0):
    return ops.cumprod(x, axis=axis)


# Elementwise.


def abs(x):
    return ops.absolute(x)


def pow(x, a):
    return ops.power(x, a)


def round(x):
    return ops.round(x)


def exp(x):
    return ops.exp(x)


def log(x):
    return ops.log(x)


def sqrt(x):
    """Square root of max(x, 0), as in Keras 2."""
    return ops.sqrt(ops.maximum(x, 0))


def square(x):
    return ops.square(x)


def sign(x):
    return ops.sign(x)


def sin(x):
    return ops.sin(x)


def cos(x):
    return ops.cos(x)


def clip(x, min_value=None, max_value=None):
    """Clip; a bound may be None, and a max below the min counts as the min."""
    low = -np.inf if min_value is None else min_value
    high = np.inf if max_value is None else max_value
    if isinstance(low, (int, float)) and isinstance(high, (int, float)):
        high = high if high > low else low
    return ops.clip(x, low, high)


def maximum(x, y):
    return ops.maximum(x, y)


def minimum(x, y):
    return ops.minimum(x, y)


def equal(x, y):
    return ops.equal(x, y)


def not_equal(x, y):
    return ops.not_equal(x, y)


def greater(x, y):
    return ops.greater(x, y)


def greater_equal(x, y):
    return ops.greater_equal(x, y)


def less(x, y):
    return ops.less(x, y)


def less_equal(x, y):
    return ops.less_equal(x, y)


# Activations.


def softmax(x, axis=-1):
    return ops.softmax(x, axis=axis)


def sigmoid(x):
    return ops.sigmoid(x)


def hard_sigmoid(x):
    """0.2 x + 0.5 clipped to [0, 1]: Keras 2's slope, not Keras 3's 1/6."""
    return ops.clip(0.2 * x + 0.5, 0.0, 1.0)


def tanh(x):
    return ops.tanh(x)


def relu(x, alpha=0.0, max_value=None, threshold=0.0):
    """x above `threshold` (at most `max_value`), alpha (x - threshold) below."""
    if alpha == 0.0 and max_value is None and threshold == 0.0:
        return ops.relu(x)
    above = x if max_value is None else ops.minimum(x, max_value)
    return ops.where(ops.greater_equal(x, threshold), above, alpha * (x - threshold))


def elu(x, alpha=1.0):
    return ops.elu(x, alpha=alpha)


def softplus(x):
    return ops.softplus(x)


def dropout(x, level, noise_shape=None, seed=None):
    """Zero a share `level` of `x`; in compiled code pass a SeedGenerator as seed."""
    return random.dropout(x, level, noise_shape=noise_shape, seed=seed)


def l2_normalize(x, axis=None):
    squares = ops.sum(ops.square(x), axis=_axis(axis), keepdims=True)
    return x * ops.rsqrt(ops.maximum(squares, L2_EPSILON))


# Products.


def dot(x, y):
    """Contract the last axis of x: (..., D) with the last but one of y: (..., D, E)."""
    if len(y.shape) <= 2:
        return ops.matmul(x, y)
    return ops.tensordot(x, y, axes=[[len(x.shape) - 1], [len(y.shape) - 2]])


def batch_dot(x, y, axes=None):
    """Contract one axis of x with one of y, sample by sample (axis 0 of both).

    Args:
        x: (B, ...), y: (B, ...).
        axes: the axis of each, an int for the same in both; default the last of x
            and the last but one of y (the last when y is a matrix).
    """
    nx, ny = len(x.shape), len(y.shape)
    if axes is None:
        axes = (nx - 1, ny - 1 if ny == 2 else ny - 2)
    ax, ay = (axes, axes) if isinstance(axes, int) else axes
    ax, ay = ax % nx, ay % ny
    if ax == 0 or ay == 0:
        raise ValueError(
            "K.batch_dot cannot contract the batch axis. "
            f"Received: axes={axes!r} for ranks {nx} and {ny}. Use an axis >= 1."
        )
    letters = iter(string.ascii_lowercase[2:])
    left = ["a"] + ["b" if i == ax else next(letters) for i in range(1, nx)]
    right = ["a"] + ["b" if i == ay else next(letters) for i in range(1, ny)]
    kept = [c for c in left if c != "b"] + [c for c in right[1:] if c != "b"]
    equation = f"{''.join(left)},{''.join(right)}->{''.join(kept)}"
    result = ops.einsum(equation, x, y)
    # Two matrices give a column, as in Keras 2.
    return ops.expand_dims(result, 1) if nx == ny == 2 else result
