"""Resizing of weight matrices by repetition, as bert4keras' autoresize does."""

import numpy as np


def orthogonally_resize(a, new_shape, window: int = 2) -> np.ndarray:
    """Resize an array by repeating blocks, keeping its Frobenius norm.

    a: array of any rank; new_shape: one size for each axis.
    window: rows that are repeated together when an axis grows; the old size must be
        divisible by it.
    Source: https://kexue.fm/archives/8444
    """
    a = np.asarray(a)
    if a.ndim != len(new_shape):
        raise ValueError(
            f"new_shape needs one size for each of the {a.ndim} axes of an array of "
            f"shape {a.shape}. Received new_shape={tuple(new_shape)}."
        )
    resized = a
    for axis, new in enumerate(new_shape):
        old = a.shape[axis]
        if new > old:
            index = _repeated_blocks(old, new, window, axis)
        else:
            index = np.arange(new)
        resized = np.take(resized, index, axis=axis)
    norm = np.linalg.norm(resized)
    if resized.shape == a.shape or norm == 0:
        return resized
    return resized / norm * np.linalg.norm(a)


def _repeated_blocks(old: int, new: int, window: int, axis: int) -> np.ndarray:
    """Row numbers that repeat each block of `window` rows, cut to `new`."""
    if old % window:
        raise ValueError(
            f"axis {axis} of size {old} cannot grow to {new} in blocks of {window}: "
            f"the size must be divisible by window. Pass window=1."
        )
    blocks = np.arange(old).reshape(-1, window)
    return np.repeat(blocks, -(-new // old), axis=0).ravel()[:new]
