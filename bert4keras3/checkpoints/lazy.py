"""Arrays that are read when they are needed, and the mapping that holds them."""

import math
import mmap
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from bert4keras3.checkpoints.errors import CheckpointError


class LazyArray:
    """One array of a checkpoint: what it is, and how to read it.

    Args:
        name: its name in the file.
        shape: its shape.
        dtype: the numpy dtype that `read` returns; `object` for text, which cannot
            be read.
        reader: returns the array.
        unverified: returns it without reading more than is asked of it afterwards,
            that is without its checksum; by default `reader`.
    """

    __slots__ = ("dtype", "name", "shape", "_reader", "_unverified")

    def __init__(
        self,
        name: str,
        shape: tuple[int, ...],
        dtype: np.dtype,
        reader: Callable[[], np.ndarray],
        unverified: Callable[[], np.ndarray] | None = None,
    ):
        self.name = name
        self.shape = tuple(shape)
        self.dtype = np.dtype(dtype)
        self._reader = reader
        self._unverified = unverified or reader

    @property
    def nbytes(self) -> int:
        """The bytes that the array takes once it is read."""
        return math.prod(self.shape) * self.dtype.itemsize

    def read(self, verify: bool = True) -> np.ndarray:
        """Return the array, read-only and where possible a view of the file.

        Args:
            verify: compare with the checksum, if there is one, for which the whole
                array is read. False is for who takes a slice of a mapped file.

        Raises:
            CheckpointError: the stored bytes are damaged or not numbers.
        """
        return self._reader() if verify else self._unverified()

    def __repr__(self) -> str:
        return f"LazyArray({self.name!r}, shape={self.shape}, dtype={self.dtype})"


class Checkpoint(Mapping):
    """The arrays of a checkpoint by name, in sorted order.

    Usable as a context manager. Arrays that were read stay valid after `close`.

    Args:
        path: the file or prefix, or None for arrays in memory.
        format: "tf", "safetensors", "bin", "npz" or "dict".
        arrays: the arrays, in any order.
        metadata: text stored beside the arrays.
        close: releases what the arrays read from.
    """

    def __init__(
        self,
        path: Path | None,
        format: str,
        arrays: list[LazyArray],
        metadata: Mapping[str, str] | None = None,
        close: Callable[[], None] | None = None,
    ):
        self.path = path
        self.format = format
        self.metadata = dict(metadata or {})
        self._arrays = {a.name: a for a in sorted(arrays, key=lambda a: a.name)}
        self._close = close
        self._closed = False

    def __getitem__(self, name: str) -> LazyArray:
        arrays = self._open_arrays()
        if name not in arrays:
            raise KeyError(
                f"{self.path or 'checkpoint'} holds no tensor {name!r}; "
                f"it holds {len(arrays)} others"
            )
        return arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._open_arrays())

    def __len__(self) -> int:
        return len(self._open_arrays())

    def __contains__(self, name: object) -> bool:
        return name in self._open_arrays()

    def __enter__(self) -> "Checkpoint":
        return self

    def __exit__(self, *exception) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"{len(self._arrays)} arrays"
        return f"Checkpoint({str(self.path)!r}, format={self.format!r}, {state})"

    def close(self) -> None:
        """Release the files; calling it again does nothing."""
        if self._close is not None and not self._closed:
            self._close()
        self._arrays = {}
        self._closed = True

    def _open_arrays(self) -> dict[str, LazyArray]:
        if self._closed:
            raise CheckpointError(
                f"{self.path or 'the checkpoint'} has been closed; "
                "read its arrays before, or open it again"
            )
        return self._arrays


def map_file(path: Path) -> np.ndarray:
    """Return the bytes of a file as (N,) uint8 mapped into memory, read-only.

    The mapping lives as long as the array or any view of it. Replacing the file (as
    this package does) is safe; shortening it in place while it is mapped is not.

    Raises:
        CheckpointError: the file is missing, unreadable or empty.
    """
    try:
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                raise CheckpointError(
                    f"{path} is empty; copy or download the file again"
                )
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be read ({error.strerror or error}); "
            "check the path and that all files of the checkpoint are present"
        ) from error
    return np.frombuffer(mapped, np.uint8)


def forget(array: np.ndarray) -> None:
    """Give the pages of a mapped array's file back to the system.

    They are read again if they are needed; a pass over a large checkpoint that does
    this after each array never holds the whole file in memory.
    """
    base = array
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, memoryview):
        base = base.obj
    if isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        base.madvise(mmap.MADV_DONTNEED)
