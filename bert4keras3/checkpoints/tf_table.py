"""Sorted tables and protocol buffers: the two encodings in a TensorFlow index file.

Reference: https://github.com/google/leveldb/blob/main/doc/table_format.md and
https://protobuf.dev/programming-guides/encoding/
"""

from collections.abc import Iterable, Iterator

from bert4keras3.checkpoints.crc32c import crc32c, mask
from bert4keras3.checkpoints.errors import CheckpointError

_MAGIC = 0xDB4775248B80FB57.to_bytes(8, "little")
_FOOTER_SIZE = 48
_TRAILER_SIZE = 5
_BLOCK_SIZE = 4096
_RESTART_INTERVAL = 16

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def read_varint(data: bytes, position: int) -> tuple[int, int]:
    """Return an unsigned varint of at most 64 bits and the position after it."""
    if position < len(data) and data[position] < 0x80:
        return data[position], position + 1  # nearly all of them
    value = shift = 0
    while True:
        if position >= len(data) or shift > 63:
            raise CheckpointError("a variable-length integer is cut off or too long")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
    if value >> 64:
        raise CheckpointError("a variable-length integer exceeds 64 bits")
    return value, position


def write_varint(value: int) -> bytes:
    """Return the encoding of an unsigned integer."""
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def read_message(data: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    """Yield (field number, wire type, value) of each field of a message."""
    position = 0
    while position < len(data):
        tag, position = read_varint(data, position)
        number, kind = tag >> 3, tag & 7
        if number == 0:
            raise CheckpointError("a message holds a field with number 0")
        if kind == VARINT:
            value, position = read_varint(data, position)
            yield number, kind, value
            continue
        if kind == BYTES:
            size, position = read_varint(data, position)
        elif kind in (FIXED32, FIXED64):
            size = 4 if kind == FIXED32 else 8
        else:
            raise CheckpointError(f"a message holds a field of unknown kind {kind}")
        if size > len(data) - position:
            raise CheckpointError("a message field reaches past the end of its data")
        value = data[position : position + size]
        position += size
        yield number, kind, value if kind == BYTES else int.from_bytes(value, "little")


def write_field(number: int, kind: int, value: int | bytes) -> bytes:
    """Return one encoded field: a varint, fixed32 or bytes."""
    tag = write_varint(number << 3 | kind)
    if kind == VARINT:
        return tag + write_varint(value)
    if kind == FIXED32:
        return tag + value.to_bytes(4, "little")
    return tag + write_varint(len(value)) + value


def read_table(data: bytes) -> dict[bytes, bytes]:
    """Return the entries of a sorted table; every block checksum is verified.

    Raises:
        CheckpointError: any damage, or a compressed block.
    """
    if len(data) < _FOOTER_SIZE or data[-8:] != _MAGIC:
        raise CheckpointError(
            "the file does not end like a checkpoint index (it is cut off or is "
            "another kind of file)"
        )
    footer = data[-_FOOTER_SIZE:]
    _, position = _read_handle(footer, 0)
    index, _ = _read_handle(footer, position)
    entries: dict[bytes, bytes] = {}
    last = None
    for limit, handle in _read_block(data, index):
        block, end = _read_handle(handle, 0)
        if end != len(handle):
            raise CheckpointError("an index entry holds more than a block position")
        for key, value in _read_block(data, block):
            if key > limit or (last is not None and key <= last):
                raise CheckpointError("the keys of the index are not in order")
            entries[key] = value
            last = key
    return entries


def _read_handle(data: bytes, position: int) -> tuple[tuple[int, int], int]:
    offset, position = read_varint(data, position)
    size, position = read_varint(data, position)
    return (offset, size), position


def _read_block(data: bytes, handle: tuple[int, int]) -> Iterator[tuple[bytes, bytes]]:
    """Yield the (key, value) pairs of one block."""
    offset, size = handle
    if offset + size + _TRAILER_SIZE > len(data) - _FOOTER_SIZE or size < 4:
        raise CheckpointError("an index block lies outside the file")
    end = offset + size
    stored = int.from_bytes(data[end + 1 : end + _TRAILER_SIZE], "little")
    if mask(crc32c(data[offset : end + 1])) != stored:
        raise CheckpointError("the checksum of an index block does not match")
    if data[end] != 0:
        raise CheckpointError(
            "the index is compressed, which TensorFlow does not do for checkpoints; "
            "save it again with tf.train.Checkpoint or tf.compat.v1.train.Saver"
        )
    block = data[offset:end]
    restarts = int.from_bytes(block[-4:], "little")
    stop = size - 4 * (restarts + 1)
    if stop < 0:
        raise CheckpointError("an index block is shorter than its restart table")
    key, position = b"", 0
    while position < stop:
        shared, position = read_varint(block, position)
        fresh, position = read_varint(block, position)
        length, position = read_varint(block, position)
        if shared > len(key) or fresh + length > stop - position:
            raise CheckpointError("an index entry reaches past the end of its block")
        key = key[:shared] + block[position : position + fresh]
        position += fresh
        yield key, block[position : position + length]
        position += length


def write_table(entries: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return a sorted table of `entries`, whose keys must be strictly increasing."""
    table = bytearray()
    index: list[tuple[bytes, bytes]] = []
    block: list[tuple[bytes, bytes]] = []
    size = 0
    for key, value in entries:
        block.append((key, value))
        size += len(key) + len(value)
        if size >= _BLOCK_SIZE:
            index.append((key, _append_block(table, block, _RESTART_INTERVAL)))
            block, size = [], 0
    if block:
        index.append((block[-1][0], _append_block(table, block, _RESTART_INTERVAL)))
    handles = _append_block(table, [], 1) + _append_block(table, index, 1)
    return bytes(table) + handles.ljust(_FOOTER_SIZE - len(_MAGIC), b"\0") + _MAGIC


def _append_block(table: bytearray, entries: list, interval: int) -> bytes:
    """Append a block of (key, value) pairs to `table` and return its handle.

    A key is stored as the length it shares with the key before it and the rest; every
    `interval` entries one key is stored whole, so that readers can search.
    """
    block = bytearray()
    restarts = [0]
    last = b""
    for number, (key, value) in enumerate(entries):
        shared = 0
        if number % interval:
            shared = _shared_prefix(last, key)
        elif number:
            restarts.append(len(block))
        for length in (shared, len(key) - shared, len(value)):
            block += write_varint(length)
        block += key[shared:] + value
        last = key
    for start in [*restarts, len(restarts)]:
        block += start.to_bytes(4, "little")
    handle = write_varint(len(table)) + write_varint(len(block))
    block.append(0)  # not compressed
    table += block + mask(crc32c(block)).to_bytes(4, "little")
    return handle


def _shared_prefix(first: bytes, second: bytes) -> int:
    length = 0
    for one, other in zip(first, second, strict=False):
        if one != other:
            break
        length += 1
    return length
