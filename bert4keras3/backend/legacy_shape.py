"""Keras 2 backend shapes and constructors (`K.reshape`, `K.zeros`, ...).

The facade is `bert4keras3.backend.legacy`. A size that is unknown while a
functional model is built reads None in `K.shape(x)`; `reshape` and `flatten` accept
such shapes, constructors cannot and say so.
"""

import keras
import numpy as np
from keras import backend, ops

from bert4keras3.backend.legacy_math import all_static, is_static


def int_shape(x):
    """The static shape as a tuple of ints and None."""
    shape = x.shape if hasattr(x, "shape") else np.shape(x)
    return tuple(shape)


def shape(x):
    """The shape as a tuple of ints; scalar tensors (TensorFlow) or None if unknown."""
    return ops.shape(x)


def ndim(x):
    return len(int_shape(x))


def dtype(x):
    """The dtype by name, e.g. 'float32'."""
    return backend.standardize_dtype(x.dtype)


def count_params(x):
    return int(np.prod(int_shape(x)))


def cast(x, dtype):
    return ops.cast(x, dtype)


def cast_to_floatx(x):
    """Tensors cast to floatx; anything else becomes a numpy array of it."""
    if isinstance(x, (int, float, list, tuple, np.ndarray)):
        return np.asarray(x, dtype=backend.floatx())
    return ops.cast(x, backend.floatx())


# Constructors.


def _known(size, name):
    """`size` if every axis of it is known, else an error naming `K.name`."""
    axes = size if isinstance(size, (tuple, list)) else [size]
    if [axis for axis in axes if axis is None]:
        raise ValueError(
            f"K.{name} needs sizes that are known. Received: {size!r}; None stands "
            "for an axis that is unknown while the functional model is built. Move "
            "the expression into a layer's call (or a Lambda layer), or use "
            "K.zeros_like / K.ones_like."
        )
    return size


def constant(value, dtype=None, shape=None, name=None):
    """A tensor of `value`, of floatx unless `dtype`, spread over `shape` if given."""
    array = np.asarray(value)
    if shape is not None:
        fits = array.size == np.prod(shape)
        array = array.reshape(shape) if fits else np.broadcast_to(array, shape)
    return ops.convert_to_tensor(array, dtype=dtype or backend.floatx())


def zeros(shape, dtype=None, name=None):
    """Zeros (a tensor: for a Keras 2 style variable use K.variable)."""
    return ops.zeros(_known(shape, "zeros"), dtype=dtype or backend.floatx())


def ones(shape, dtype=None, name=None):
    """Ones (a tensor: for a Keras 2 style variable use K.variable)."""
    return ops.ones(_known(shape, "ones"), dtype=dtype or backend.floatx())


def zeros_like(x, dtype=None, name=None):
    return ops.zeros_like(x, dtype=dtype)


def ones_like(x, dtype=None, name=None):
    return ops.ones_like(x, dtype=dtype)


def eye(size, dtype=None, name=None):
    rows, columns = size if isinstance(size, (tuple, list)) else (size, size)
    return ops.eye(_known(rows, "eye"), columns, dtype=dtype or backend.floatx())


def arange(start, stop=None, step=1, dtype="int32"):
    _known((start, 0 if stop is None else stop), "arange")
    return ops.arange(start, stop, step, dtype=dtype)


def one_hot(indices, num_classes):
    return ops.one_hot(ops.cast(indices, "int32"), num_classes, dtype=backend.floatx())


# Rearranging.


def _reshape_symbolic(x, sizes):
    """Reshape a KerasTensor to `sizes`, where None keeps the axis of that place."""
    unknown = [i for i, size in enumerate(sizes) if size is None or size == -1]
    if len(unknown) <= 1:
        return ops.reshape(x, [-1 if size is None else size for size in sizes])
    # The batch axis is kept by the Reshape layer, which leaves room for one more.
    if len(unknown) == 2 and sizes[0] is None:
        rest = [-1 if size is None else size for size in sizes[1:]]
        return keras.layers.Reshape(rest)(x)
    raise ValueError(
        "K.reshape of a symbolic tensor can leave open the batch axis and one more. "
        f"Received: shape={tuple(sizes)} for a tensor of shape {int_shape(x)}. Put "
        "the expression into a layer's call, or fix the sequence length."
    )


def _reshape(x, sizes):
    """Reshape; a lone None infers its axis, several None keep axes in place."""
    if [size for size in sizes if size is None]:
        if backend.is_keras_tensor(x):
            return _reshape_symbolic(x, sizes)
        open_axes = [i for i, s in enumerate(sizes) if s is None or is_minus_one(s)]
        if len(open_axes) == 1:
            sizes = [-1 if size is None else size for size in sizes]
        else:
            now = ops.shape(x)
            sizes = [now[i] if size is None else size for i, size in enumerate(sizes)]
    return ops.reshape(x, sizes)


def is_minus_one(size):
    return is_static(size) and size == -1


def reshape(x, *args):
    """`reshape(x, shape)`, or `reshape(x, shape1, axis1, shape2, axis2, ...)`.

    The second form, an addition of bert4keras, splits each named axis into the
    shape before it, which may hold one -1.
    """
    if len(args) == 1:
        sizes = args[0]
        if hasattr(sizes, "shape"):
            is_numpy = isinstance(sizes, np.ndarray)
            return ops.reshape(x, tuple(sizes.tolist()) if is_numpy else sizes)
        return _reshape(
            x, [sizes] if is_static(sizes) and np.ndim(sizes) == 0 else list(sizes)
        )
    if not args or len(args) % 2:
        raise ValueError(
            "K.reshape expects a shape, or pairs of a shape and the axis it splits. "
            f"Received: {len(args)} arguments after the tensor."
        )
    known, sizes = int_shape(x), [[size] for size in ops.shape(x)]
    for split, axis in zip(args[::2], args[1::2], strict=True):
        split = list(split)
        if -1 in split and known[axis] is not None:
            others = -int(np.prod(split))
            split[split.index(-1)] = known[axis] // others
        sizes[axis] = split
    return _reshape(x, [size for group in sizes for size in group])


def flatten(x, start=None, end=None):
    """Merge the axes from `start` up to but not including `end`; all by default."""
    rank = ndim(x)
    start = 0 if start is None else start % rank
    end = rank if end is None else end % (rank + 1)
    sizes = list(ops.shape(x))
    merged = sizes[start:end]
    # A product of known sizes leaves -1 free for another, unknown axis.
    size = int(np.prod(merged)) if all_static(merged) else -1
    return _reshape(x, [*sizes[:start], size, *sizes[end:]])


def batch_flatten(x):
    return flatten(x, start=1)


def concatenate(tensors, axis=-1):
    if all_static(tensors):
        return np.concatenate(tensors, axis=axis)
    return ops.concatenate([_tensor(t) for t in tensors], axis=axis)


def stack(x, axis=0):
    if all_static(x):
        return np.stack(x, axis=axis)
    return ops.stack([_tensor(t) for t in x], axis=axis)


def _tensor(x):
    return x if hasattr(x, "shape") else ops.convert_to_tensor(x)


def expand_dims(x, axis=-1):
    return ops.expand_dims(x, axis)


def squeeze(x, axis):
    return ops.squeeze(x, axis)


def transpose(x):
    return ops.transpose(x)


def permute_dimensions(x, pattern):
    return ops.transpose(x, axes=tuple(pattern))


def tile(x, n):
    return ops.tile(x, [n] if isinstance(n, int) else n)


def repeat(x, n):
    """(B, D) -> (B, n, D)."""
    return ops.repeat(ops.expand_dims(x, 1), n, axis=1)


def repeat_elements(x, rep, axis):
    return ops.repeat(x, rep, axis=axis)


def reverse(x, axes):
    return ops.flip(x, axis=tuple(axes) if isinstance(axes, list) else axes)


def gather(reference, indices):
    return ops.take(reference, ops.cast(indices, "int32"), axis=0)


def where(condition, x, y):
    """`x` where `condition`, else `y`; all three broadcast."""
    return ops.where(ops.cast(condition, "bool"), x, y)
