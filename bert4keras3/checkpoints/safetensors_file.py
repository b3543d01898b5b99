"""Safetensors files, with checksums where this package wrote them.

The format itself has no checksum: a file of another writer can only be checked for
structure (lengths, types, offsets), so a changed number inside its data stays unseen.
Files written here carry two entries in their metadata, which other readers ignore:
`bert4keras3.crc32c`, the CRC-32C of each tensor's bytes as JSON, and
`bert4keras3.header`, the CRC-32C of everything else in the header.

Reference: https://huggingface.co/docs/safetensors/index#format
"""

import json
import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

from bert4keras3.checkpoints import dtypes
from bert4keras3.checkpoints.crc32c import crc32c
from bert4keras3.checkpoints.errors import CheckpointError
from bert4keras3.checkpoints.lazy import Checkpoint, LazyArray, map_file
from bert4keras3.checkpoints.strict_json import parse_object
from bert4keras3.checkpoints.writing import to_array

_TENSOR_SUMS = "bert4keras3.crc32c"
_HEADER_SUM = "bert4keras3.header"
_MAX_HEADER = 100_000_000
_ALIGNMENT = 8
_CODES = {name: code for code, name in dtypes.SAFETENSORS_DTYPES.items()}


def read_safetensors(path: Path, verify: bool = True) -> Checkpoint:
    """Open one safetensors file, mapped into memory.

    Args:
        path: the file.
        verify: compare with the checksums, where the file has them.

    Raises:
        CheckpointError: the file is missing or damaged.
    """
    raw = map_file(path)
    try:
        header, data = _split(raw)
        metadata = _metadata(header)
        sums = _checksums(header, metadata) if verify else {}
        arrays = _arrays(path, header, data, sums)
    except CheckpointError as error:
        raise CheckpointError(
            f"{path} is not a valid safetensors file: {error}; "
            "copy or download it again"
        ) from error
    public = {k: v for k, v in metadata.items() if k not in (_TENSOR_SUMS, _HEADER_SUM)}
    return Checkpoint(path, "safetensors", arrays, public)


def write_safetensors(
    path: Path, arrays: Mapping, metadata: Mapping[str, str] | None
) -> None:
    """Write arrays and their checksums to `path`, which must be a temporary file.

    Args:
        path: where to write.
        arrays: numpy arrays or LazyArrays by name; each is read once.
        metadata: text to store; `{"format": "pt"}` is added, since the transformers
            library refuses files that have metadata without it.
    """
    items = {name: _described(name, value) for name, value in arrays.items()}
    # Wide numbers first, so that every tensor is aligned without gaps.
    order = sorted(items, key=lambda name: (-items[name][0].itemsize, name))
    header: dict = {"__metadata__": {"format": "pt"} | dict(metadata or {})}
    position = 0
    for name in order:
        dtype, shape = items[name]
        size = math.prod(shape) * dtype.itemsize
        header[name] = {
            "dtype": _CODES[dtype.name],
            "shape": list(shape),
            "data_offsets": [position, position + size],
        }
        position += size
    # The checksums are known only once the data is written, and the header stands
    # before it: room is left for the longest ones. So one tensor at a time is enough.
    room = len(_header_text(header, dict.fromkeys(order, 2**32 - 1)))
    room += -room % _ALIGNMENT
    sums = {}
    with open(path, "wb") as file:
        file.seek(8 + room)
        for name in order:
            array = to_array(name, arrays[name])
            sums[name] = crc32c(array)
            file.write(dtypes.raw_bytes(array))
        file.seek(0)
        text = _header_text(header, sums)
        file.write(room.to_bytes(8, "little") + text.ljust(room))


def _described(name, value) -> tuple[np.dtype, tuple[int, ...]]:
    """Return the dtype and shape of an array or LazyArray, which must be storable."""
    if not isinstance(value, LazyArray):
        value = to_array(name, value)
    if value.dtype.name not in _CODES:
        raise CheckpointError(
            f"tensor {name!r} has dtype {value.dtype}, which safetensors cannot "
            f"hold; use one of {', '.join(sorted(_CODES))}"
        )
    return value.dtype, tuple(value.shape)


def _header_text(header: dict, sums: dict[str, int]) -> bytes:
    """Return the header as it is stored, with the checksums in its metadata."""
    metadata = {**header["__metadata__"], _TENSOR_SUMS: json.dumps(sums)}
    header = {**header, "__metadata__": metadata}
    metadata[_HEADER_SUM] = _header_sum(header)
    return json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()


def _split(raw: np.ndarray) -> tuple[dict, np.ndarray]:
    """Return the parsed header and the bytes after it."""
    if raw.size < 8:
        raise CheckpointError(f"it has {raw.size} bytes, at least 10 are needed")
    size = int.from_bytes(raw[:8].tobytes(), "little")
    if size > min(_MAX_HEADER, raw.size - 8):
        raise CheckpointError(
            f"its header claims {size} bytes, the file has {raw.size} in all"
        )
    text = raw[8 : 8 + size].tobytes()
    if text[:1] != b"{":
        raise CheckpointError("its header does not start with '{'")
    return parse_object(text, "its header"), raw[8 + size :]


def _metadata(header: dict) -> dict[str, str]:
    metadata = header.get("__metadata__", {})
    if not isinstance(metadata, dict) or not all(
        isinstance(value, str) for value in metadata.values()
    ):
        raise CheckpointError("its __metadata__ is not a mapping from text to text")
    return metadata


def _header_sum(header: dict) -> str:
    """Return the checksum of a header without the entry that stores it."""
    metadata = dict(header["__metadata__"])
    metadata.pop(_HEADER_SUM, None)
    plain = json.dumps(header | {"__metadata__": metadata}, sort_keys=True)
    return f"{crc32c(plain.encode()):08x}"


def _checksums(header: dict, metadata: dict[str, str]) -> dict[str, int]:
    """Return the checksum of each tensor, or {} for a file of another writer."""
    # Two entries: no single small damage makes our file look like a foreign one.
    if _TENSOR_SUMS not in metadata and _HEADER_SUM not in metadata:
        return {}
    if metadata.get(_HEADER_SUM) != _header_sum(header):
        raise CheckpointError(
            "the checksum of its header does not match (a tool that changes tensors "
            "but keeps the metadata also causes this: then pass verify=False)"
        )
    sums = parse_object(metadata.get(_TENSOR_SUMS, "").encode(), "its checksum table")
    if sums.keys() != header.keys() - {"__metadata__"}:
        raise CheckpointError("its checksum table names other tensors than its header")
    return sums


def _arrays(
    path: Path, header: dict, data: np.ndarray, sums: dict[str, int]
) -> list[LazyArray]:
    """Return the arrays of a header whose data must be covered without gaps."""
    arrays, ranges = [], []
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        kind, shape, start, stop = _parse_entry(name, entry, data.size)
        ranges.append((start, stop))
        read = partial(_read_tensor, path, name, data[start:stop], kind, shape)
        readers = partial(read, sums.get(name)), partial(read, None)
        arrays.append(LazyArray(name, shape, dtypes.read_dtype(kind), *readers))
    end = 0
    for start, stop in sorted(ranges):
        if start != end:
            raise CheckpointError(f"its tensors overlap or leave a gap at byte {end}")
        end = stop
    if end != data.size:
        raise CheckpointError(f"it has {data.size} bytes of data, its header {end}")
    return arrays


def _parse_entry(name: str, entry, size: int) -> tuple[str, tuple, int, int]:
    """Return (type, shape, start, stop) of a header entry after checking it."""
    if not isinstance(entry, dict) or entry.keys() != {
        "dtype",
        "shape",
        "data_offsets",
    }:
        raise CheckpointError(f"tensor {name!r} lacks dtype, shape or data_offsets")
    kind = entry["dtype"]
    kind = dtypes.SAFETENSORS_DTYPES.get(kind) if isinstance(kind, str) else None
    if kind is None:
        raise CheckpointError(f"tensor {name!r} has unknown dtype {entry['dtype']!r}")
    shape, offsets = entry["shape"], entry["data_offsets"]
    if not _are_sizes(shape) or not _are_sizes(offsets) or len(offsets) != 2:
        raise CheckpointError(
            f"tensor {name!r} has a shape or offsets that are no sizes"
        )
    start, stop = offsets
    if not start <= stop <= size:
        raise CheckpointError(f"tensor {name!r} lies outside the file")
    if stop - start != dtypes.byte_size(kind, tuple(shape)):
        raise CheckpointError(
            f"tensor {name!r} has {stop - start} bytes for shape {shape} of {kind}"
        )
    return kind, tuple(shape), start, stop


def _are_sizes(values) -> bool:
    return isinstance(values, list) and all(
        type(value) is int and 0 <= value < 1 << 63 for value in values
    )


def _read_tensor(
    path: Path,
    name: str,
    stored: np.ndarray,
    kind: str,
    shape: tuple[int, ...],
    expected: int | None,
) -> np.ndarray:
    """Return one tensor as a view of the file, its checksum compared if it has one."""
    if expected is not None and crc32c(stored) != expected:
        raise CheckpointError(
            f"{path}: the checksum of tensor {name!r} does not match its data; the "
            "file is damaged, copy or download it again (or pass verify=False if a "
            "tool changed the data but kept the metadata)"
        )
    return dtypes.as_array(stored, kind, shape)
