"""Several texts in one row, and the same texts each in a row of its own."""

import numpy as np

SIZES = ((3, 5, 2), (6, 1, 4))  # two rows of three texts
LENGTH, PLACES = 12, 4  # one token and one place are filler


def texts(vocab, inputs, seed=3):
    """Every text as a list of `inputs` sequences: ids, then segments 0 .. 0 1 .. 1."""
    rng, found = np.random.default_rng(seed), []
    for size in (size for row in SIZES for size in row):
        ids = rng.integers(1, vocab - 1, size)
        parts = (np.arange(size) >= (size + 1) // 2).astype("int32")
        found.append([ids.astype("int32"), parts][:inputs])
        found[-1] += [np.zeros(size, "int32")] * (inputs - len(found[-1]))
    return found


def packed(found):
    """[inputs (2, T) ..., starts (2, N)] of `texts`."""
    rows = [np.zeros((len(SIZES), LENGTH), "int32") for _ in found[0]]
    starts = np.full((len(SIZES), PLACES), LENGTH, "int32")
    for row, place, offset, text in placed(found):
        starts[row, place] = offset
        for one, part in zip(rows, text, strict=True):
            one[row, offset : offset + len(part)] = part
    return [*rows, starts]


def placed(found):
    """(row, place, offset, text) of every text."""
    following = iter(found)
    for row, sizes in enumerate(SIZES):
        for place in range(len(sizes)):
            yield row, place, sum(sizes[:place]), next(following)


def alone(text):
    """The inputs of a model without packing, one row."""
    return [part[None] for part in text]
