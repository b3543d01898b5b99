"""What the writers of all formats share."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from bert4keras3.checkpoints import dtypes
from bert4keras3.checkpoints.errors import CheckpointError
from bert4keras3.checkpoints.lazy import LazyArray


def checked_names(arrays: Mapping) -> list[str]:
    """Return the names of `arrays` after checking that every format can hold them.

    Raises:
        TypeError: `arrays` is not a mapping or a name is not text.
        CheckpointError: a name is empty, holds a zero byte or cannot be encoded.
    """
    if not isinstance(arrays, Mapping):
        raise TypeError(
            "expected a mapping from name to array, such as {'a/kernel': kernel}, "
            f"received {type(arrays).__name__}"
        )
    for name in arrays:
        if not isinstance(name, str):
            raise TypeError(f"expected tensor names as text, received {name!r}")
        if not name or "\0" in name or not _encodable(name):
            raise CheckpointError(
                f"{name!r} cannot be a tensor name; use text that is not empty, is "
                "valid UTF-8 and holds no zero character"
            )
    return list(arrays)


def to_array(name: str, value) -> np.ndarray:
    """Return the value of one tensor as a C-ordered little-endian array."""
    array = value.read() if isinstance(value, LazyArray) else np.asarray(value)
    if array.dtype.hasobject or array.dtype.kind in "SUMm":
        raise CheckpointError(
            f"tensor {name!r} has dtype {array.dtype}; checkpoints hold numbers only"
        )
    return dtypes.little_endian(array)


def refuse_existing(paths: Iterable[Path], overwrite: bool) -> None:
    """Raise CheckpointError if a path exists and `overwrite` is not set."""
    existing = [str(path) for path in paths if path.exists()]
    if existing and not overwrite:
        raise CheckpointError(
            f"{', '.join(existing)} already exists; choose another path or pass "
            "overwrite=True"
        )


def _encodable(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
