"""The two passes of `shuffle_corpus`.

A worker loads this file from its path and not by the package's name: it needs numpy
alone, and importing the package would bring Keras and a backend with it. So this file
imports nothing of the package.

Files of the scratch folder, for K buckets, part P and bucket B:

    K-P.data    blocks of dealt records. A block: for bucket after bucket, what it has
                of that bucket: keys (n,) uint64, lengths (n,) uint32, the records
    K-P.cuts    (blocks, K+1, 2) uint32: where the buckets of each block begin, counted
                in records and in their bytes. The last to appear: the part is done
    blocks      (blocks, 2) int64 over all parts: part, first byte
    cuts        (K+1, blocks, 2) uint32: the cuts of all parts, bucket by bucket
    output      what becomes the target
    K-B.done    empty: the bucket is in the output
"""

import os
from itertools import chain, groupby, pairwise
from operator import itemgetter
from pathlib import Path

import numpy as np

SLICE = 1 << 20  # bytes copied at a time: small enough for a CPU's cache
_WINDOW = 1 << 17  # bytes searched for ends of lines at a time
_BUFFER = 1 << 16  # for what a bucket has in a block, often less than a page
_BLOCKS = 1 << 12  # whose cuts are held at a time
_LF, _CR = 10, 13


def deal(folder, part, buckets, source, start, stop, unit, seed, block, records):
    """Pass 1: draw a key for every record of one part and lay it into its bucket.

    The keys are Philox's of (seed, part), one a record, so that a part can be dealt
    alone, in blocks of any size.
    block, records: bytes and lines held at a time, at most; a record has to fit.
    """
    path = Path(folder, f"{buckets}-{part}.data")
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    index = temporary.with_suffix(".cuts.tmp")
    draws = np.random.Philox(key=np.array([seed, part], np.uint64))
    with (
        open(source, "rb", buffering=0) as file,
        open(temporary, "wb", buffering=_BUFFER) as scratch,
        open(index, "wb") as cuts,
    ):
        file.seek(start)
        for data, starts, lengths in _blocks(file, stop, unit, block, records):
            keys = draws.random_raw(len(starts))
            cuts.write(_deal_block(scratch, keys, buckets, data, starts, lengths))
    os.replace(temporary, path)
    os.replace(index, path.with_suffix(".cuts"))


def _deal_block(scratch, keys, buckets, data, starts, lengths):
    """Write one block; returns where its buckets begin, (K+1, 2)."""
    # Monotonic in the key: to sort within buckets is to sort the whole.
    bucket = ((keys >> np.uint64(32)) * np.uint64(buckets)) >> np.uint64(32)
    order = np.argsort(bucket.astype(np.uint16), kind="stable")
    counts = np.bincount(bucket.astype(np.intp), minlength=buckets)
    starts, lengths = starts[order], lengths[order]
    cuts = np.zeros((buckets + 1, 2), np.int64)
    np.cumsum(counts, out=cuts[1:, 0])
    cuts[1:, 1] = np.cumsum(lengths)[cuts[1:, 0] - 1]
    cuts[cuts[:, 0] == 0, 1] = 0
    keys, sizes = memoryview(keys[order]), memoryview(lengths.astype(np.uint32))
    del bucket, order  # as much again as what is still needed
    pieces, piece = _permuted(data, starts, lengths), b""
    for (i, begin), (j, end) in pairwise(cuts.tolist()):
        # Side by side, so that pass 2 finds them in one place of the disk.
        scratch.write(keys[i:j])
        scratch.write(sizes[i:j])
        while begin < end:
            piece = piece or memoryview(next(pieces))
            now = piece[: end - begin]
            scratch.write(now)
            begin, piece = begin + len(now), piece[len(now) :]
    return cuts.astype(np.uint32)


def _blocks(file, stop, unit, block, records):
    """Yield (data, starts, lengths) of whole records until byte `stop` of `file`."""
    find = {"line": _lines, "document": _documents}[unit]
    data = np.empty(block + 2, np.uint8)
    position, held = file.tell(), 0
    while position < stop or held:
        wanted = min(stop - position, block - held)
        _fill(file, data[held : held + wanted])
        place, position, held = position - held, position + wanted, held + wanted
        if position == stop:
            held = _terminated(data, held, unit)
        starts, lengths, done = find(data[:held], records)
        if not done:
            raise ValueError(
                f"{file.name}: the {unit} at byte {place} is larger than "
                f"{block} bytes, or than {records} lines, which is what a worker can "
                "hold: give more memory, or fewer workers"
            )
        if len(starts):
            yield data[:held], starts, lengths
        data[: held - done] = data[done:held].copy()
        held -= done


def _terminated(data, held, unit):
    """End the last record, which may lack its end; returns the bytes held."""
    ends = held == 0 or data[held - 1] == _LF
    more = (not ends) + (unit == "document")
    data[held : held + more] = _LF
    return held + more


def _ends(data, most):
    """Where lines end (exclusive), the first `most` of them at least."""
    found, count = [np.zeros(0, np.int64)], 0
    for begin in range(0, len(data), _WINDOW):
        found.append(np.flatnonzero(data[begin : begin + _WINDOW] == _LF))
        found[-1] += begin + 1
        count += len(found[-1])
        if count >= most:
            break
    return np.concatenate(found)[:most]


def _lines(data, most):
    """Starts and lengths of the whole lines in `data`, and the bytes they take."""
    ends = _ends(data, most)
    starts = np.zeros_like(ends)
    starts[1:] = ends[:-1]
    return starts, ends - starts, int(ends[-1]) if len(ends) else 0


def _documents(data, most):
    """The same for documents: lines with the first blank line that follows them.

    Further blank lines belong to no document.
    """
    starts, lengths, done = _lines(data, most)
    blank = (lengths == 1) | ((lengths == 2) & (data[starts] == _CR))
    before = np.ones_like(blank)
    before[1:] = blank[:-1]
    first, last = np.flatnonzero(before & ~blank), np.flatnonzero(blank & ~before)
    if len(first) > len(last):
        done = int(starts[first[-1]])
    first = starts[first[: len(last)]]
    return first, starts[last] + lengths[last] - first, done


def _permuted(data, starts, lengths):
    """Yield the bytes of the records at `starts`, in that order, slice by slice."""
    ends = np.cumsum(lengths)
    begin, base = 0, 0
    while begin < len(starts):
        end = max(int(np.searchsorted(ends, base + SLICE, "right")), begin + 1)
        size = int(ends[end - 1]) - base
        if size > SLICE:  # one record, for which memory holds no second copy
            yield data[starts[begin] : starts[begin] + size]
        else:
            out = np.empty(size, np.uint8)
            part = slice(begin, end)
            to = ends[part] - lengths[part] - base
            _copy_records(out, to, data, starts[part], lengths[part])
            yield out
        begin, base = end, base + size


def _copy_records(out, to, data, starts, lengths):
    """Copy records of any lengths without a Python object for each.

    A record of 2^e <= length < 2^(e+1) bytes is its first 2^e and its last 2^e bytes,
    which may overlap: one numpy copy of fixed-size items for all records of one e.
    """
    for e in range(int(lengths.max()).bit_length()):
        these, size = np.flatnonzero(lengths >> e == 1), 1 << e
        if not len(these):
            continue
        source = _items(data, size)
        drain = _items(out, size)
        a, b, rest = starts[these], to[these], lengths[these] - size
        drain[b] = source[a]
        drain[b + rest] = source[a + rest]


def _items(data, size):
    """A view of `data` with an item of `size` bytes at every byte."""
    count = len(data) - size + 1
    return np.ndarray((count,), f"V{size}", data, strides=(1,))


def gather(folder, buckets, bucket, offset):
    """Pass 2: sort one bucket by its keys and write it at its place of the output."""
    keys, lengths, data = _load_bucket(folder, buckets, bucket)
    order = np.argsort(keys)
    keys = keys[order]
    if (keys[1:] == keys[:-1]).any():  # else any sort gives the same order
        order = order[np.lexsort((order, keys))]
    del keys
    starts = np.cumsum(lengths) - lengths
    starts, lengths = starts[order], lengths[order]
    del order
    with open(Path(folder, "output"), "r+b") as output:
        output.seek(offset)
        if len(starts):
            for piece in _permuted(data, starts, lengths):
                output.write(piece)
    Path(folder, f"{buckets}-{bucket}.done").touch()


def _load_bucket(folder, buckets, bucket):
    """Keys (n,) uint64, lengths (n,) int64 and bytes of one bucket, as they lie."""
    sums = (extents[:, 2:].sum(axis=0) for extents in _extents(folder, bucket))
    records, size = sum(sums, np.zeros(2, np.int64)).tolist()
    keys, lengths = np.empty(records, np.uint64), np.empty(records, np.uint32)
    data, n, m = np.empty(size, np.uint8), 0, 0
    found = chain.from_iterable(
        extents[extents[:, 2] > 0].tolist() for extents in _extents(folder, bucket)
    )
    for part, extents in groupby(found, itemgetter(0)):
        path = Path(folder, f"{buckets}-{part}.data")
        with open(path, "rb", buffering=0) as file:
            for _, place, records, size in extents:
                file.seek(place)
                _fill(file, keys[n : n + records])
                _fill(file, lengths[n : n + records])
                _fill(file, data[m : m + size])
                n, m = n + records, m + size
    return keys, lengths.astype(np.int64), data


def _extents(folder, bucket):
    """Yield (blocks, 4): part, first byte, records and their bytes of the bucket.

    Of all blocks, but not at once: of a corpus of terabytes they are millions.
    """
    blocks, cuts = Path(folder, "blocks"), Path(folder, "cuts")
    total = os.path.getsize(blocks) // 16
    for first in range(0, total, _BLOCKS):
        size = 2 * min(_BLOCKS, total - first)
        found = np.fromfile(blocks, np.int64, size, offset=16 * first).reshape(-1, 2)
        begins, ends = (
            np.fromfile(cuts, np.uint32, size, offset=8 * (row * total + first))
            .reshape(-1, 2)
            .astype(np.int64)
            for row in (bucket, bucket + 1)
        )
        found[:, 1] += 12 * begins[:, 0] + begins[:, 1]
        yield np.concatenate([found, ends - begins], axis=1)


def _fill(file, array):
    """Read `array` full, from where the file stands."""
    view = memoryview(array).cast("B") if len(array) else b""
    while len(view):
        count = file.readinto(view)
        if not count:
            raise OSError(f"{file.name} became shorter while it was read")
        view = view[count:]


PASSES = {"deal": deal, "gather": gather}
