"""Random numbers and orders that are functions of their place, not of a history."""

import numpy as np

# What a Philox counter's last word says the numbers are for.
ROW, ORDER, CUT = 0, 1, 2
ROUNDS = 6


def draws(seed: int, epoch: int, number: int, count: int, kind: int = ROW):
    """`count` random uint64 of a row, by Philox keyed with seed and epoch: (count,).

    They depend on nothing else, so that any host can make any row at any time.
    https://www.thesalmons.org/john/random123/papers/random123sc11.pdf
    """
    key = np.array([seed, epoch], "uint64")
    counter = np.array([0, 0, number, kind], "uint64")
    return np.random.Philox(key=key, counter=counter).random_raw(count)


def row_draws(seed: int, epoch: int, rows, count: int) -> np.ndarray:
    """`draws` of many rows, (B, count) uint64."""
    numbers = np.asarray(rows).tolist()
    return np.stack([draws(seed, epoch, number, count) for number in numbers])


def threshold(probability: float) -> np.uint64:
    """What a uniform uint64 is below with that probability."""
    return np.uint64(min(int(probability * 2.0**64), 2**64 - 1))


def below(noise: np.ndarray, count) -> np.ndarray:
    """Uniform whole numbers in [0, count) of the low 32 bits of uint64, int64."""
    low = noise & np.uint64(0xFFFFFFFF)
    return (low * np.asarray(count, "uint64") >> np.uint64(32)).astype("int64")


def permuted(numbers, size: int, seed: int, epoch: int) -> np.ndarray:
    """Where a random permutation of 0 .. size - 1 puts some numbers, int64.

    The permutation depends on seed and epoch alone and is never stored: a Feistel
    network of six rounds on the next power of four; what falls outside goes through it
    again (Black and Rogaway, 2002: Ciphers with arbitrary finite domains).
    """
    bits = max(1, (int(size - 1).bit_length() + 1) // 2)
    keys = draws(seed, epoch, 0, ROUNDS, ORDER)
    result = _feistel(np.asarray(numbers, "uint64"), bits, keys)
    while (outside := result >= np.uint64(size)).any():
        result[outside] = _feistel(result[outside], bits, keys)
    return result.astype("int64")


def _feistel(x, bits, keys):
    half, low = np.uint64(bits), np.uint64((1 << bits) - 1)
    left, right = x >> half, x & low
    for key in keys:
        left, right = right, left ^ (_mixed(right ^ key) & low)
    return left << half | right


def _mixed(z):
    """The finaliser of SplitMix64: every bit of z changes half of the bits."""
    z = (z ^ z >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ z >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return z ^ z >> np.uint64(31)
