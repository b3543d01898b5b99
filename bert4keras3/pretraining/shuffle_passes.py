"""The two passes of `shuffle_corpus`, and the worker process that runs them.

A worker is started from this file's path and not from the package's name: it needs
numpy alone, and importing the package would bring Keras and a backend with it. So this
file imports nothing of the package.

Files of the scratch folder, for K buckets, part P and bucket B:

    K-P.data    blocks of dealt records. A block: keys (n,) uint64, lengths (n,) uint32,
                the records' bytes; each ordered by bucket
    K-P.npy     (blocks, 2, K+1) int64: where the buckets of each block begin, counted
                in records and in bytes. The last to appear: the part is done
    blocks.npy  (blocks, 3) int64 over all parts: part, first byte, records
    cuts.npy    (K+1, blocks, 2) int64: the starts of all parts, bucket by bucket
    output      what becomes the target
    K-B.done    empty: the bucket is in the output
"""

import json
import os
import queue
import sys
import threading
from pathlib import Path

import numpy as np

SLICE = 1 << 20  # bytes copied at a time: small enough for a CPU's cache
_WINDOW = 1 << 17  # bytes searched for ends of lines at a time
_LF, _CR = 10, 13


def deal(folder, part, buckets, source, start, stop, unit, seed, block, records):
    """Pass 1: draw a key for every record of one part and lay it into its bucket.

    The keys are Philox's of (seed, part), one a record, so that a part can be dealt
    alone, in blocks of any size.
    block, records: bytes and lines held at a time, at most; a record has to fit.
    """
    path = Path(folder, f"{buckets}-{part}.data")
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    draws = np.random.Philox(key=np.array([seed, part], np.uint64))
    cuts = [np.zeros((0, 2, buckets + 1), np.int64)]
    with open(source, "rb", buffering=0) as file, open(temporary, "wb") as scratch:
        file.seek(start)
        for data, starts, lengths in _blocks(file, stop, unit, block, records):
            keys = draws.random_raw(len(starts))
            cuts.append(_deal_block(scratch, keys, buckets, data, starts, lengths))
    index = temporary.with_suffix(".npy.tmp")
    with open(index, "wb") as file:
        np.save(file, np.concatenate(cuts))
    os.replace(temporary, path)
    os.replace(index, path.with_suffix(".npy"))


def _deal_block(scratch, keys, buckets, data, starts, lengths):
    """Write one block; returns where its buckets begin, (1, 2, K+1)."""
    # Monotonic in the key: to sort within buckets is to sort the whole.
    bucket = ((keys >> np.uint64(32)) * np.uint64(buckets)) >> np.uint64(32)
    order = np.argsort(bucket.astype(np.uint16), kind="stable")
    counts = np.bincount(bucket.astype(np.intp), minlength=buckets)
    starts, lengths = starts[order], lengths[order]
    scratch.write(keys[order])
    scratch.write(lengths.astype(np.uint32))
    for piece in _permuted(data, starts, lengths):
        scratch.write(piece)
    cuts = np.zeros((1, 2, buckets + 1), np.int64)
    np.cumsum(counts, out=cuts[0, 0, 1:])
    cuts[0, 1, 1:] = np.cumsum(lengths)[cuts[0, 0, 1:] - 1]
    cuts[0, 1, cuts[0, 0] == 0] = 0
    return cuts


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


def tally(folder, parts, buckets, record_cost):
    """Collect the indices of all parts; returns the sizes of the buckets.

    "records" and "bytes" of the whole, "offsets" (K+1 of them) in the output and the
    "heaviest" memory that a bucket needs; record_cost: that of a record beside its
    bytes.
    """
    blocks, cuts = [], []
    for part in range(parts):
        base = 0
        for cut in np.load(Path(folder, f"{buckets}-{part}.npy")):
            blocks.append((part, base, cut[0, -1]))
            cuts.append(cut)
            base += 12 * int(cut[0, -1]) + int(cut[1, -1])
        size = os.path.getsize(Path(folder, f"{buckets}-{part}.data"))
        if size != base:
            raise OSError(f"{buckets}-{part}.data has {size} bytes, expected {base}")
    np.save(Path(folder, "blocks.npy"), np.array(blocks, np.int64).reshape(-1, 3))
    cuts = np.array(cuts, np.int64).reshape(-1, 2, buckets + 1).transpose(2, 0, 1)
    np.save(Path(folder, "cuts.npy"), np.ascontiguousarray(cuts))
    records, offsets = cuts.sum(axis=1).T
    heaviest = int(np.max(np.diff(offsets) + record_cost * np.diff(records)))
    sums = {"records": int(records[-1]), "bytes": int(offsets[-1])}
    return {**sums, "offsets": offsets.tolist(), "heaviest": heaviest}


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
    blocks = np.load(Path(folder, "blocks.npy"))
    cuts = np.load(Path(folder, "cuts.npy"), mmap_mode="r")
    begins, ends = np.array(cuts[bucket]), np.array(cuts[bucket + 1])
    count, size = (int(total) for total in (ends - begins).sum(axis=0))
    keys, lengths = np.empty(count, np.uint64), np.empty(count, np.uint32)
    data, opened, n, m = np.empty(size, np.uint8), None, 0, 0
    for (part, base, total), (i, a), (j, b) in zip(blocks, begins, ends, strict=True):
        if opened is None or opened[0] != part:
            if opened:
                opened[1].close()
            path = Path(folder, f"{buckets}-{part}.data")
            opened = part, open(path, "rb", buffering=0)
        file, more = opened[1], int(j - i)
        _fill(file, keys[n : n + more], base + 8 * i)
        _fill(file, lengths[n : n + more], base + 8 * total + 4 * i)
        _fill(file, data[m : m + int(b - a)], base + 12 * total + a)
        n, m = n + more, m + int(b - a)
    if opened:
        opened[1].close()
    return keys, lengths.astype(np.int64), data


def _fill(file, array, position=None):
    """Read `array` full, from `position` on or from where the file stands."""
    if position is not None:
        file.seek(int(position))
    view = memoryview(array).cast("B") if len(array) else b""
    while len(view):
        count = file.readinto(view)
        if not count:
            raise OSError(f"{file.name} became shorter while it was read")
        view = view[count:]


PASSES = {"deal": deal, "tally": tally, "gather": gather}


def answer(job):
    """Run one job {"do": name, ...}; returns {"result": ...} or {"error": ...}."""
    job = dict(job)
    try:
        return {"result": PASSES[job.pop("do")](**job)}
    except OSError as error:
        return {"error": str(error), "kind": "OSError"}
    except ValueError as error:
        return {"error": str(error), "kind": "ValueError"}


def main():
    """Answer jobs, one JSON line each, until standard input ends."""
    jobs = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(jobs,), daemon=True).start()
    while True:
        sys.stdout.write(json.dumps(answer(json.loads(jobs.get()))) + "\n")
        sys.stdout.flush()


def _receive(jobs):
    for line in sys.stdin:
        jobs.put(line)
    # Nobody is left to ask or to answer, and another run may already go on.
    os._exit(0)


if __name__ == "__main__":
    main()
