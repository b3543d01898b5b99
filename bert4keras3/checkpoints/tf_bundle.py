"""TensorFlow checkpoints (format V2), read without TensorFlow.

Reference: https://github.com/tensorflow/tensorflow/blob/master/tensorflow/core/util/tensor_bundle/tensor_bundle.h
"""

import os
import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from bert4keras3.checkpoints import dtypes
from bert4keras3.checkpoints.crc32c import crc32c, mask
from bert4keras3.checkpoints.errors import CheckpointError
from bert4keras3.checkpoints.lazy import Checkpoint, LazyArray, map_file
from bert4keras3.checkpoints.tf_table import (
    BYTES,
    FIXED32,
    VARINT,
    read_message,
    read_table,
)

_DATA_SUFFIX = re.compile(r"\.data-\d{5}-of-\d{5}$")


@dataclass(frozen=True)
class BundleEntry:
    """Where the index says a tensor lies."""

    dtype: int
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    checksum: int
    sliced: bool


def tf_prefix(path: str | os.PathLike) -> Path:
    """Return the prefix of a bundle from its prefix, `.index` or `.data-…` file."""
    text = os.fspath(path)
    return Path(_DATA_SUFFIX.sub("", text.removesuffix(".index")))


def shard_path(prefix: Path, shard: int, count: int) -> Path:
    """Return the path of one data file of a bundle."""
    return prefix.with_name(f"{prefix.name}.data-{shard:05d}-of-{count:05d}")


def read_tf_bundle(path: str | os.PathLike, verify: bool = True) -> Checkpoint:
    """Open a TensorFlow V2 checkpoint; its shards are mapped into memory.

    The checksums of the index are always verified.

    Args:
        path: the prefix, such as `bert_model.ckpt`, or its `.index` or `.data-…` file.
        verify: compare each tensor with its checksum when it is read.

    Raises:
        CheckpointError: a file is missing or damaged, or the bundle is big-endian.
    """
    prefix = tf_prefix(path)
    index = prefix.with_name(prefix.name + ".index")
    try:
        shards, entries = _parse_index(map_file(index).tobytes())
    except CheckpointError as error:
        raise CheckpointError(
            f"{index} is not a readable TensorFlow checkpoint index: {error}; "
            "copy or download the checkpoint again"
        ) from error
    used = {entry.shard for entry in entries.values() if not entry.sliced}
    data = {
        shard: _map_shard(shard_path(prefix, shard, shards), shard, entries)
        for shard in sorted(used)
    }
    arrays = []
    for name, entry in entries.items():
        text = entry.dtype == dtypes.TF_STRING
        dtype = object if text else dtypes.read_dtype(dtypes.TF_DTYPES[entry.dtype])
        raw = None if entry.sliced else data[entry.shard]
        read = partial(_read_entry, prefix, name, entry, raw)
        readers = partial(read, verify), partial(read, False)
        arrays.append(LazyArray(name, entry.shape, dtype, *readers))
    return Checkpoint(prefix, "tf", arrays)


def _map_shard(path: Path, shard: int, entries: dict[str, BundleEntry]) -> np.ndarray:
    """Return the bytes of one shard, long enough for every entry that lies in it."""
    ends = [
        entry.offset + entry.size
        for entry in entries.values()
        if entry.shard == shard and not entry.sliced
    ]
    if max(ends) == 0:
        return np.empty(0, np.uint8)  # only empty tensors: nothing to read
    raw = map_file(path)
    if max(ends) > raw.size:
        raise CheckpointError(
            f"{path} has {raw.size} bytes, but the index expects at least {max(ends)}; "
            "the file is cut off: copy or download it again"
        )
    return raw


def _read_entry(
    prefix: Path, name: str, entry: BundleEntry, raw: np.ndarray | None, verify: bool
) -> np.ndarray:
    """Return one tensor of a bundle as a view of its shard."""
    if entry.dtype == dtypes.TF_STRING:
        raise CheckpointError(
            f"{prefix}: tensor {name!r} holds text, not numbers; leave it out"
        )
    if entry.sliced:
        raise CheckpointError(
            f"{prefix}: tensor {name!r} is stored in slices (a partitioned variable), "
            "which is not supported; load it with TensorFlow and save it whole"
        )
    stored = raw[entry.offset : entry.offset + entry.size]
    if verify and mask(crc32c(stored)) != entry.checksum:
        raise CheckpointError(
            f"{prefix}: the checksum of tensor {name!r} does not match its data; "
            "the data file is damaged: copy or download it again"
        )
    return dtypes.as_array(stored, dtypes.TF_DTYPES[entry.dtype], entry.shape)


def _parse_index(data: bytes) -> tuple[int, dict[str, BundleEntry]]:
    """Return the number of shards and the entries by tensor name."""
    table = read_table(data)
    if b"" not in table:
        raise CheckpointError("the bundle header is missing")
    shards = _parse_header(table.pop(b""))
    entries = {}
    for key, value in table.items():
        if key[:1] == b"\0":
            continue  # one slice of a partitioned variable, listed under its own name
        try:
            name = key.decode("utf-8")
        except UnicodeDecodeError as error:
            raise CheckpointError(f"the tensor name {key!r} is not UTF-8") from error
        try:
            entries[name] = _parse_entry(value, shards)
        except CheckpointError as error:
            raise CheckpointError(f"entry of tensor {name!r}: {error}") from error
    return shards, entries


def _parse_header(data: bytes) -> int:
    """Return the number of shards from a BundleHeaderProto."""
    fields = _single_fields(data, {1: VARINT, 2: VARINT, 3: BYTES})
    if fields.get(2, 0) != 0:
        raise CheckpointError("the bundle was written on a big-endian machine")
    shards = fields.get(1, 0)
    if not 1 <= shards <= 99999:
        raise CheckpointError(f"the header tells of {shards} data files")
    return shards


def _parse_entry(data: bytes, shards: int) -> BundleEntry:
    """Return a BundleEntryProto after checking it against itself."""
    kinds = {1: VARINT, 2: BYTES, 3: VARINT, 4: VARINT, 5: VARINT, 6: FIXED32}
    fields = _single_fields(data, kinds | {7: None})
    entry = BundleEntry(
        dtype=fields.get(1, 0),
        shape=_parse_shape(fields.get(2, b"")),
        shard=fields.get(3, 0),
        offset=fields.get(4, 0),
        size=fields.get(5, 0),
        checksum=fields.get(6, 0),
        sliced=7 in fields,
    )
    if entry.shard >= shards:
        raise CheckpointError(f"data file {entry.shard} of {shards} does not exist")
    if entry.dtype == dtypes.TF_STRING:
        return entry
    name = dtypes.TF_DTYPES.get(entry.dtype)
    if name is None:
        raise CheckpointError(f"number type {entry.dtype} is not supported")
    expected = dtypes.byte_size(name, entry.shape)
    if not entry.sliced and entry.size != expected:
        raise CheckpointError(
            f"{entry.size} bytes for shape {entry.shape} of {name}, "
            f"which takes {expected}"
        )
    return entry


def _parse_shape(data: bytes) -> tuple[int, ...]:
    """Return the sizes from a TensorShapeProto."""
    shape = []
    for number, kind, value in read_message(data):
        if number == 3 and value:
            raise CheckpointError("the tensor has no known rank")
        if number != 2:
            continue
        if kind != BYTES:
            raise CheckpointError("a dimension is not a message")
        size = _single_fields(value, {1: VARINT, 2: BYTES}).get(1, 0)
        if size >= 1 << 63:
            raise CheckpointError("a dimension is negative")
        shape.append(size)
    return tuple(shape)


def _single_fields(data: bytes, kinds: dict[int, int | None]) -> dict:
    """Return the fields of a message by number, of the wire types in `kinds`.

    A type of None marks a repeated field, of which the last one is returned.
    """
    fields = {}
    for number, kind, value in read_message(data):
        if number not in kinds:
            continue
        if kinds[number] not in (None, kind):
            raise CheckpointError(f"field {number} has kind {kind}")
        fields[number] = value
    return fields
