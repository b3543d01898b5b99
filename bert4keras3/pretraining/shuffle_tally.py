"""Between the passes of `shuffle_corpus`: the cuts of all parts become one table.

Loaded from its path and free of the package, as shuffle_passes.py, which tells what
the files are.
"""

import mmap
import os
from pathlib import Path

import numpy as np


def tally(folder, parts, buckets, record_cost, room):
    """Write `blocks` and `cuts`; returns the sizes of the buckets.

    "records" and "bytes" of the whole, "offsets" (K+1 of them) in the output and the
    "heaviest" memory that a bucket needs; record_cost: that of a record beside its
    bytes.
    room: bytes held at a time. The table of a corpus of terabytes is of gigabytes.
    """
    folder = Path(folder)
    with open(folder / "blocks", "wb") as file:
        blocks = [_note_blocks(file, folder, part, buckets) for part in range(parts)]
    total = sum(blocks)
    sums = np.zeros((buckets + 1, 2), np.int64)
    width = min(max(room // (8 * total + 1), 1), buckets + 1)
    strip = np.empty((width, total), np.uint64)  # an item: records and bytes, uint32
    with open(folder / "cuts", "wb") as file:
        for first in range(0, buckets + 1, width):
            rows = strip[: min(width, buckets + 1 - first)]
            block = 0
            for part, count in enumerate(blocks):
                cuts = _cuts(folder, part, buckets)[:, first : first + len(rows)]
                rows[:, block : block + count] = cuts.T
                block += count
            rows.tofile(file)
            pairs = rows.view(np.uint32).reshape(len(rows), total, 2)
            pairs.sum(axis=1, dtype=np.int64, out=sums[first : first + len(rows)])
    records, offsets = sums.T
    heaviest = int(np.max(np.diff(offsets) + record_cost * np.diff(records)))
    whole = {"records": int(records[-1]), "bytes": int(offsets[-1])}
    return {**whole, "offsets": offsets.tolist(), "heaviest": heaviest}


def _note_blocks(file, folder, part, buckets):
    """Write part and first byte of each block of `part`; returns how many it has."""
    sizes = np.array(_cuts(folder, part, buckets)[:, -1]).view(np.uint32).reshape(-1, 2)
    places = np.cumsum([0, *(sizes @ np.array([12, 1]))])
    data = folder / f"{buckets}-{part}.data"
    size = os.path.getsize(data)
    if size != places[-1]:
        raise OSError(f"{data.name} has {size} bytes, expected {places[-1]}")
    blocks = np.full((len(sizes), 2), part, np.int64)
    blocks[:, 1] = places[:-1]
    blocks.tofile(file)
    return len(sizes)


def _cuts(folder, part, buckets):
    """The cuts of a part, (blocks, K+1) pairs of uint32 as one uint64, mapped."""
    with open(folder / f"{buckets}-{part}.cuts", "rb") as file:
        if not os.fstat(file.fileno()).st_size:  # of an empty file there is no map
            return np.zeros((0, buckets + 1), np.uint64)
        # Not numpy's memmap, which takes ten times as long to make.
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return np.frombuffer(content, np.uint64).reshape(-1, buckets + 1)


PASSES = {"tally": tally}
