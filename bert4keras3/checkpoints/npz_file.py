"""Numpy archives (`.npz`), with the checksum of every member verified."""

import ast
import io
import struct
import zipfile
import zlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

from bert4keras3.checkpoints import dtypes
from bert4keras3.checkpoints.errors import CheckpointError
from bert4keras3.checkpoints.lazy import Checkpoint, LazyArray
from bert4keras3.checkpoints.writing import to_array

# What the standard library raises on damaged archives.
ZIP_ERRORS = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
    LookupError,
    SyntaxError,
    TypeError,
    MemoryError,
)
_SUFFIX = ".npy"
_END_SIZE = 22
_KINDS = "biufc"
# A deflated byte expands to at most 1032.
_MAX_EXPANSION = 1032


def read_npz(path: Path) -> Checkpoint:
    """Open an archive of arrays; pickled objects are never loaded.

    Raises:
        CheckpointError: the file is missing or damaged or holds other things.
    """
    try:
        archive = zipfile.ZipFile(path)
    except ZIP_ERRORS as error:
        raise CheckpointError(
            f"{path} is not a readable .npz archive ({error}); "
            "copy or download it again"
        ) from error
    arrays = []
    try:
        for info in _members(path, archive):
            name = info.filename.removesuffix(_SUFFIX)
            with archive.open(info) as file:
                dtype, shape, _ = _read_header(file)
            reader = partial(_read_member, path, archive, info)
            arrays.append(LazyArray(name, shape, dtype, reader))
    except ZIP_ERRORS as error:
        archive.close()
        raise _damaged(path, error) from error
    return Checkpoint(path, "npz", arrays, close=archive.close)


def write_npz(path: Path, arrays: Mapping) -> None:
    """Write arrays, uncompressed, to `path`, which must be a temporary file.

    Args:
        path: where to write.
        arrays: numpy arrays or LazyArrays by name.

    Raises:
        CheckpointError: a type that numpy files cannot name, such as bfloat16.
    """
    with zipfile.ZipFile(path, "w") as archive:
        for name in sorted(arrays):
            array = to_array(name, arrays[name])
            if array.dtype.kind not in _KINDS or array.dtype.isbuiltin != 1:
                raise CheckpointError(
                    f"tensor {name!r} has dtype {array.dtype}, which .npz cannot hold; "
                    "write safetensors, or convert it to float32"
                )
            info = zipfile.ZipInfo(name + _SUFFIX)
            with archive.open(info, "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)


def _members(path: Path, archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Return the members of an archive after checking sizes and names."""
    size = path.stat().st_size
    members = archive.infolist()
    _check_directory(path, members)
    names = [info.filename for info in members]
    if len(set(names)) != len(names):
        raise CheckpointError("two arrays have the same name")
    for info in members:
        if not info.filename.endswith(_SUFFIX):
            raise CheckpointError(f"member {info.filename!r} is not an array")
        if info.compress_size > size or info.file_size > _MAX_EXPANSION * size:
            raise CheckpointError(f"member {info.filename!r} claims to exceed the file")
    return members


def _check_directory(path: Path, members: list[zipfile.ZipInfo]) -> None:
    """Raise if the end record of an archive and its directory disagree.

    `zipfile` searches for the end record and accepts data before and after it, so
    that a damaged one could hide members.
    """
    with open(path, "rb") as file:
        end = file.seek(-_END_SIZE, io.SEEK_END)
        record = struct.unpack("<4s4H2LH", file.read())
    magic, disk, start_disk, here, count, size, offset, comment = record
    if magic != b"PK\5\6" or disk or start_disk or comment:
        raise CheckpointError("it does not end with its directory")
    # Saturated fields stand for larger numbers, kept in a second record.
    large = offset == 0xFFFFFFFF or count == 0xFFFF
    if not large and (here, count, offset + size) != (len(members), len(members), end):
        raise CheckpointError("its directory is incomplete")
    if not members or min(info.header_offset for info in members):
        raise CheckpointError("its first member is missing")


def _read_member(
    path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo
) -> np.ndarray:
    """Return one array; reading a member to its end verifies its checksum."""
    try:
        data = archive.read(info)
        dtype, shape, fortran = _read_header(io.BytesIO(data))
        start = len(data) - int(np.prod(shape, dtype=object)) * dtype.itemsize
        if start != _header_end(data):
            raise CheckpointError("its length does not match its shape")
        raw = np.frombuffer(data, np.uint8)[start:]
        if dtype.kind == "b":
            return dtypes.as_array(raw, "bool", shape)
        array = raw.view(dtype).reshape(shape, order="F" if fortran else "C")
        array.flags.writeable = False
        return array
    except ZIP_ERRORS as error:
        raise _damaged(path, error, info.filename) from error


def _read_header(file) -> tuple[np.dtype, tuple[int, ...], bool]:
    """Return (dtype, shape, Fortran order) from the start of an array file."""
    start = file.read(8)
    if start[:6] != b"\x93NUMPY" or start[6:7] not in (b"\1", b"\2", b"\3"):
        raise CheckpointError("a member is not an array file")
    width = 2 if start[6] == 1 else 4
    size = int.from_bytes(file.read(width), "little")
    if size > 65536:
        raise CheckpointError("an array header is too long")
    header = ast.literal_eval(file.read(size).decode("utf-8").strip())
    if not isinstance(header, dict) or set(header) != {
        "descr",
        "fortran_order",
        "shape",
    }:
        raise CheckpointError("an array header lacks its fields")
    dtype, shape = np.dtype(header["descr"]), header["shape"]
    if dtype.kind not in _KINDS:
        raise CheckpointError(f"an array has dtype {dtype}; only numbers are loaded")
    if not isinstance(shape, tuple) or not all(
        type(size) is int and 0 <= size < 1 << 63 for size in shape
    ):
        raise CheckpointError("an array header has no valid shape")
    return dtype, shape, header["fortran_order"] is True


def _header_end(data: bytes) -> int:
    """Return where the numbers of an array file begin."""
    width = 2 if data[6] == 1 else 4
    return 8 + width + int.from_bytes(data[8 : 8 + width], "little")


def _damaged(path: Path, error: BaseException, member: str = "") -> CheckpointError:
    where = f" in member {member!r}" if member else ""
    return CheckpointError(
        f"{path} is damaged{where} ({error}); copy or download it again"
    )
