"""NumPy memory in the form that jax takes over without a copy."""

import mmap

import numpy as np

ALIGNMENT = 64
# Tiles of a transposing copy: their rows and columns stay in the first-level cache.
_ROWS, _COLUMNS = 256, 32


def aligned(nbytes):
    """Return (nbytes,) uint8 that starts on a cache line."""
    memory = np.empty(nbytes + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + nbytes]


def untouched(nbytes):
    """Return (nbytes,) uint8 of zeros that take no memory before they are touched.

    Those of NumPy may come from memory that was used before, and are then written.
    """
    return np.frombuffer(mmap.mmap(-1, max(nbytes, 1)), np.uint8)[:nbytes]


def packed(arrays):
    """Copy arrays, of any strides, C-contiguous into one block of memory.

    One large block is mapped in huge pages: with 4 KB pages, touching fresh memory
    costs more than the copy itself.
    """
    sizes = [array.nbytes + -array.nbytes % ALIGNMENT for array in arrays]
    block, position, copies = aligned(sum(sizes)), 0, []
    for array, size in zip(arrays, sizes, strict=True):
        stored = block[position : position + array.nbytes]
        copies.append(stored.view(array.dtype).reshape(array.shape))
        _copy(array, copies[-1])
        position += size
    return copies


def _copy(source, target):
    """Copy in tiles when a plain copy would read or write across the cache."""
    if source.ndim != 2 or source.flags.c_contiguous:
        target[...] = source
        return
    for row in range(0, source.shape[0], _ROWS):
        rows = slice(row, row + _ROWS)
        for column in range(0, source.shape[1], _COLUMNS):
            columns = slice(column, column + _COLUMNS)
            target[rows, columns] = source[rows, columns]
