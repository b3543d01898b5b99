"""CRC-32C (Castagnoli) of large buffers at memory speed, with numpy only.

A CRC is a remainder modulo a polynomial P over GF(2). P divides the sparse polynomial
``x^5685 + x^1362 + x^426 + 1``, and squaring a polynomial over GF(2) only doubles its
exponents, so ``x^(5685 s) = x^(1362 s) + x^(426 s) + 1`` modulo P for every power of
two ``s``. A byte can therefore be removed from a message by XOR-ing it into three later
bytes: whole blocks of the message are folded forward with plain vector XORs, and only
the last few kilobytes meet a look-up table. The bit order inside a byte does not
matter, because every shift is a whole number of bytes.
"""

from functools import cache

import numpy as np

_POLYNOMIAL = 0x82F63B78  # 0x1EDC6F41 with its bits reversed
_MASK_DELTA = 0xA282EAD8
_DEGREE = 5685
# How far a byte moves when it is folded: 5685 - 1362, 5685 - 426, 5685 - 0.
_NEAR, _MIDDLE = 5685 - 1362, 5685 - 426
# Bytes per unit of exponent. The large step does the bulk of the work in blocks that
# stay in the second-level cache, the small one leaves at most 5685 bytes.
_STEPS = (32, 4, 1)
_BLOCKS_PER_WINDOW = 8
_ROW = 64


def crc32c(data) -> int:
    """Return the CRC-32C checksum of a buffer, which is never modified.

    Args:
        data: bytes, bytearray, memoryview or array; any shape, read in C order.

    Returns:
        The checksum as an int in ``[0, 2**32)``; 0 for an empty buffer.

    Reference: https://datatracker.ietf.org/doc/html/rfc3720#appendix-B.4
    """
    rest = _as_bytes(data)
    head = rest[:4] ^ np.uint8(0xFF)
    if rest.size < 4:
        return _short(rest)
    for step in _STEPS:
        if rest.size > 2 * _DEGREE * step:
            rest = _fold(rest, step, head)
            head = None
    return _remainder(rest, head) ^ 0xFFFFFFFF


def mask(crc: int) -> int:
    """Return the masked form in which TensorFlow stores a checksum."""
    return (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & 0xFFFFFFFF


def unmask(masked: int) -> int:
    """Return the checksum whose masked form is `masked`."""
    rotated = (masked - _MASK_DELTA) & 0xFFFFFFFF
    return ((rotated >> 17) | (rotated << 15)) & 0xFFFFFFFF


def _as_bytes(data) -> np.ndarray:
    """Return the bytes of `data` as a flat uint8 array, without a copy if possible."""
    if isinstance(data, np.ndarray):
        flat = np.ascontiguousarray(data).reshape(-1)
        return flat.view(np.uint8) if flat.size else np.empty(0, np.uint8)
    return np.frombuffer(data, np.uint8)


def _fold(data: np.ndarray, step: int, head: np.ndarray | None) -> np.ndarray:
    """Return a message of ``5685 * step`` bytes with the same remainder as `data`.

    Args:
        data: (N,) uint8, more than ``2 * 5685 * step`` bytes.
        step: a power of two.
        head: replaces the first bytes of `data`, or None.
    """
    keep, near, middle = _DEGREE * step, _NEAR * step, _MIDDLE * step
    # The window holds folded bytes: `keep` of history, then the blocks being folded.
    window = np.empty(keep + _BLOCKS_PER_WINDOW * near, np.uint8)
    window[:keep] = 0
    stop = data.size - keep
    position, fill = 0, keep
    while position < stop:
        if fill == window.size:
            window[:keep] = window[-keep:]
            fill = keep
        size = min(near, stop - position, window.size - fill)
        block = window[fill : fill + size]
        np.bitwise_xor(
            data[position : position + size], window[fill - near :][:size], out=block
        )
        if position == 0 and head is not None:
            block[: head.size] = head
        block ^= window[fill - middle : fill - middle + size]
        block ^= window[fill - keep : fill - keep + size]
        position += size
        fill += size
    rest = data[stop:] ^ window[fill - keep : fill]
    rest[:middle] ^= window[fill - middle : fill]
    rest[:near] ^= window[fill - near : fill]
    return rest


def _remainder(rest: np.ndarray, head: np.ndarray | None) -> int:
    """Return the remainder of (N,) uint8, at most ``2 * 5685`` bytes, by tables."""
    by_column, by_row = _tables()
    rows = -(-rest.size // _ROW)
    # Zeros in front of a message do not change its remainder.
    padding = rows * _ROW - rest.size
    index = np.zeros(rows * _ROW, np.intp)
    index[padding:] = rest
    if head is not None:
        index[padding : padding + head.size] = head
    index = index.reshape(rows, _ROW)
    index += _COLUMN_OFFSETS
    sums = np.bitwise_xor.reduce(by_column.take(index), axis=1)
    index = sums.view(np.uint8).astype(np.intp) + _STATE_OFFSETS[-4 * rows :]
    return int(np.bitwise_xor.reduce(by_row.take(index)))


def _short(data: np.ndarray) -> int:
    """Return the checksum of a message too short to hold the initial state."""
    table = _byte_table()
    state = 0xFFFFFFFF
    for byte in data.tolist():
        state = (state >> 8) ^ int(table[(state ^ byte) & 0xFF])
    return state ^ 0xFFFFFFFF


_MAX_ROWS = -(-2 * _DEGREE // _ROW)
_COLUMN_OFFSETS = np.arange(_ROW) * 256
# Row r of the last R rows is R - 1 - r rows away from the end.
_STATE_OFFSETS = (
    np.arange(_MAX_ROWS)[::-1, None] * 1024 + np.arange(4)[None, :] * 256
).reshape(-1)


@cache
def _byte_table() -> np.ndarray:
    """Return (256,) uint32: the remainder of each byte."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = (table >> 1) ^ np.where(table & 1, np.uint32(_POLYNOMIAL), 0)
    return table.astype(np.uint32)


@cache
def _tables() -> tuple[np.ndarray, np.ndarray]:
    """Return the remainders of bytes by column and of row states by distance.

    Returns:
        (64 * 256,) uint32, entry ``c * 256 + v``: byte v followed by 63 - c bytes;
        (rows * 4 * 256,) uint32, entry ``(k * 4 + b) * 256 + v``: value v in byte b
        of the remainder of a row that is followed by k rows.
    """
    table = _byte_table()
    columns = [table]
    for _ in range(_ROW - 1):
        last = columns[-1]
        columns.append((last >> 8) ^ table[last & 0xFF])
    by_column = np.stack(columns[::-1])
    state = np.arange(256, dtype=np.uint32) << (
        8 * np.arange(4, dtype=np.uint32)[:, None]
    )
    states = []
    for _ in range(_MAX_ROWS):
        states.append(state)
        # A state moves one row on as if it were the first four bytes of that row.
        state = (
            by_column[0][state & 0xFF]
            ^ by_column[1][(state >> 8) & 0xFF]
            ^ by_column[2][(state >> 16) & 0xFF]
            ^ by_column[3][state >> 24]
        )
    return by_column.reshape(-1), np.stack(states).reshape(-1)
