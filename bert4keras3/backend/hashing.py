"""Pseudo-random bits as a hash of the position: the same on every backend."""

from keras import ops


def hash_bits(shape, key):
    """Pseudo-random uint32 of `shape`: an integer hash of the position and the key.

    `key` is the uint32/int32 pair of a Keras SeedGenerator. Unlike a counter-based
    generator the hash is element-wise, so XLA fuses it into the consumer and the
    bits never reach memory. Two multiply-xorshift rounds (constants of
    https://github.com/skeeto/hash-prospector); chi-square is tested.
    """
    key = ops.cast(key, "uint32")
    x = ops.zeros(shape, dtype="uint32")
    stride = 1
    for axis in reversed(range(len(shape))):
        step = ops.arange(shape[axis], dtype="int32")
        step = ops.reshape(
            ops.cast(step, "uint32"), [-1] + [1] * (len(shape) - 1 - axis)
        )
        x = x + step * ops.cast(stride, "uint32")
        stride = stride * shape[axis]
    x = _mix(x ^ key[0], 0x21F0AAAD, 0xD35A2D97)
    return _mix(x + key[1], 0x7FEB352D, 0x846CA68B)


def _mix(x, first, second):
    x = _times(x ^ ops.right_shift(x, 16), first)
    x = _times(x ^ ops.right_shift(x, 15), second)
    return x ^ ops.right_shift(x, 15)


def _times(x, factor):
    """x * factor modulo 2 ** 32; Keras's uint32 is an int64 on torch."""
    x = x * ops.cast(factor, "uint32")
    return ops.bitwise_and(x, ops.cast(0xFFFFFFFF, "uint32"))


def row_uniform(keys, step, size):
    """Pseudo-random numbers in (0, 1), float32 (R, size), 23 bits each.

    keys: (R,) integers below 2**31, one per row; step: integer tensor or int. A row's
    numbers depend on its key, the step and the column alone, so that they are the same
    in every batch, at every size, on every backend.
    """
    rows = ops.cast(keys, "uint32") ^ _times(ops.cast(step, "uint32"), 0x9E3779B9)
    rows = ops.expand_dims(_mix(rows, 0x21F0AAAD, 0xD35A2D97), -1)
    columns = ops.cast(ops.arange(size, dtype="int32"), "uint32")
    bits = _mix(rows ^ _mix(columns, 0x7FEB352D, 0x846CA68B), 0x21F0AAAD, 0xD35A2D97)
    bits = ops.cast(ops.cast(ops.right_shift(bits, 9), "int32"), "float32")
    return (bits + 0.5) * 2.0**-23
