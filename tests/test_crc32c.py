"""CRC-32C against published values and a bit-by-bit reference."""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from bert4keras3.checkpoints.crc32c import crc32c, mask, unmask


def reference(data: bytes) -> int:
    """One byte at a time, straight from the definition."""
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    state = 0xFFFFFFFF
    for byte in data:
        state = state >> 8 ^ table[(state ^ byte) & 0xFF]
    return state ^ 0xFFFFFFFF


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        # https://datatracker.ietf.org/doc/html/rfc3720#appendix-B.4
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
        (b"", 0),
        (b"a", 0xC1D04330),
    ],
)
def test_published_values(data, expected):
    assert crc32c(data) == expected


# Around the lengths at which one more folding step or one more table row starts.
LENGTHS = [*range(9), 63, 64, 65, 5684, 5685, 5686, 11369, 11370, 11371, 45480, 45481]
LENGTHS += [99_991, 200_003, 363_840, 363_841, 400_003]


@pytest.mark.parametrize("length", LENGTHS)
def test_equals_the_reference(length):
    data = np.random.default_rng(length).integers(0, 256, length, np.uint8)
    data.flags.writeable = False
    assert crc32c(data) == reference(data.tobytes())


def test_windows_of_the_largest_step_are_joined():
    """crc(a + b) for a message of many windows follows from the linearity of CRCs."""
    rng = np.random.default_rng(0)
    one, other = rng.integers(0, 256, (2, 3_000_017), np.uint8)
    zeros = np.zeros_like(one)
    assert crc32c(one ^ other) == crc32c(one) ^ crc32c(other) ^ crc32c(zeros)
    # The sum changes wherever a single bit does.
    for place in (0, 3, 4, 1_000_003, 3_000_016):
        changed = one.copy()
        changed[place] ^= 1
        assert crc32c(changed) != crc32c(one)
    # A message followed by its own checksum has one fixed residue.
    ending = np.frombuffer(crc32c(one).to_bytes(4, "little"), np.uint8)
    assert crc32c(np.concatenate([one, ending])) == 0x48674BC7


@pytest.mark.parametrize("offset", [0, 1, 3, 7])
def test_any_buffer_and_alignment(offset):
    data = np.random.default_rng(1).integers(0, 256, 20_000, np.uint8)[offset:]
    expected = reference(data.tobytes())
    assert crc32c(data.tobytes()) == expected
    assert crc32c(bytearray(data)) == expected
    assert crc32c(memoryview(data.tobytes())) == expected


def test_arrays_are_read_in_c_order_and_not_changed():
    array = np.arange(60_000, dtype="float32").reshape(200, 300)
    before = array.copy()
    assert crc32c(array) == reference(array.tobytes())
    assert crc32c(array.T) == reference(array.T.tobytes())
    assert crc32c(np.float32(3)) == reference(np.float32(3).tobytes())
    np.testing.assert_array_equal(array, before)


def test_mask_is_reversible():
    for crc in (0, 1, 0xE3069283, 0xFFFFFFFF):
        assert unmask(mask(crc)) == crc
    assert mask(0) == 0xA282EAD8
    assert mask(crc32c(b"foo")) != crc32c(b"foo")


def test_threads_do_not_disturb_each_other():
    arrays = np.random.default_rng(2).integers(0, 256, (8, 500_000), np.uint8)
    alone = [crc32c(array) for array in arrays]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(crc32c, arrays)) == alone


def test_large_messages_are_fast():
    """A table look-up per byte would need half a second here."""
    data = np.zeros(40_000_000, np.uint8)
    crc32c(data)
    times = []
    for _ in range(3):
        start = time.perf_counter()
        crc32c(data)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.2
