"""Global shuffle of a text corpus that is larger than memory."""

import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from bert4keras3.pretraining.shuffle_limits import limits_of, parse_memory
from bert4keras3.pretraining.shuffle_lock import locked
from bert4keras3.pretraining.shuffle_scratch import Scratch
from bert4keras3.pretraining.shuffle_workers import Workers

PART = 64 << 20  # bytes of a source that are dealt as one; keys depend on it
_VERSION = 2  # of the draws and of the scratch files
_RECORD_COST = 64  # bytes a record takes besides its own, in the second pass
_LEAST_BUCKETS, _MOST_BUCKETS = 8, 1 << 16
_WINDOW = 1 << 16


@dataclass(frozen=True)
class ShuffleReport:
    """What `shuffle_corpus` did."""

    records: int
    bytes: int  # of the target
    seconds: float  # of this run
    reused: int  # parts and buckets that an interrupted run had finished


def shuffle_corpus(
    sources: str | os.PathLike | list,
    target: str | os.PathLike,
    seed: int = 0,
    memory: int | str = "256MB",
    workers: int | None = None,
    unit: str = "line",
    force: bool = False,
    progress: Callable | None = None,
) -> ShuffleReport:
    """Write the records of all `sources` to `target` in a uniformly random order.

    The order is that of a random 64-bit key of every record: it depends on `seed`, the
    contents and the order of the sources, not on `memory` or `workers`. Pass 1 deals
    the records into buckets by the high bits of their keys, pass 2 sorts bucket after
    bucket. Interrupted at any moment, the same call goes on where it was; until it
    ends there is no target. Records are bytes, nothing is decoded.

    Args:
        sources: file or files, read one after the other; none is changed.
        target: file to write. Beside it lies the folder .NAME.shuffle for as long as
            the work lasts; both together take twice the disk of the sources and 12
            bytes a record.
        seed: 0 to 2^64 - 1.
        memory: bytes or text such as "256MB" or "2GiB" that all processes take
            together; of a process that calls this function, its own comes on top. A
            record may have a quarter of what is left to a worker (23 MB with 256MB and
            two workers).
        workers: processes, default one a core that memory allows, the fewer the larger
            the sources are; 0: none, the work is done in this process.
        unit: "line", each ended by "\\n" ("\\r" before it is part of the line; empty
            lines are records too, a last line without end gets one), or "document":
            lines up to a blank one, which goes with them; further blank lines are
            dropped.
        force: replace an existing target.
        progress: called with (bytes done, bytes in all) of both passes.

    Raises:
        ValueError: an argument is wrong, a record is larger than memory allows (the
            message names file and byte), or an unfinished shuffle has other settings.
        BlockingIOError: another shuffle to `target` is running. Nothing is touched.
        OSError: a file cannot be read or written, or a worker died; what is done is
            kept, the same call goes on with it.
    """
    began = time.monotonic()
    sources, target = _checked(sources, target, seed, unit)
    stats = [_stat(source) for source in sources]
    size = sum(stat[1] for stat in stats)
    limits = limits_of(parse_memory(memory), workers, size)
    settings = {"version": _VERSION, "seed": seed, "unit": unit, "part": PART}
    scratch = Scratch(target, {**settings, "sources": stats})
    with locked(target):
        report = scratch.open(force, needed=2 * size + size // 8)
        if report is None:
            work = _Shuffle(scratch, limits, progress or (lambda done, total: None))
            report = work.run(sources, seed, unit)
            for source, stat in zip(sources, stats, strict=True):
                if _stat(source) != stat:
                    raise ValueError(f"{source} was changed during the shuffle")
            scratch.finish(report, force)
    return ShuffleReport(**report, seconds=time.monotonic() - began)


def _checked(sources, target, seed, unit):
    """The sources as a list and the target, as absolute paths."""
    if isinstance(sources, (str, os.PathLike)):
        sources = [sources]
    if not sources:
        raise ValueError("sources: expected at least one file, received none")
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 1 << 64:
        raise ValueError(f"seed: expected 0 to 2^64 - 1, received {seed!r}")
    if unit not in ("line", "document"):
        raise ValueError(f"unit: expected 'line' or 'document', received {unit!r}")
    sources = [Path(os.path.abspath(source)) for source in sources]
    target = Path(os.path.abspath(target))
    for source in sources:
        if not source.exists():
            raise FileNotFoundError(f"sources: {source} does not exist")
        if not source.is_file():
            raise ValueError(f"sources: {source} is no regular file")
        if target.exists() and target.samefile(source):
            raise ValueError(f"target: {target} is one of the sources")
    if target.is_dir():
        raise ValueError(f"target: expected a file, {target} is a folder")
    return sources, target


def _stat(source):
    stat = source.stat()
    return [str(source), stat.st_size, stat.st_mtime_ns]


class _Shuffle:
    """The work on one scratch folder: what is done there is not done again."""

    def __init__(self, scratch, limits, progress):
        self.scratch, self.limits, self.progress = scratch, limits, progress
        self.done = self.total = self.reused = 0

    def run(self, sources, seed, unit):
        """Do both passes; returns {"records", "bytes", "reused"}."""
        parts, size, lines = _parts(sources, unit)
        if not self.scratch.buckets:
            self.scratch.begin(self._buckets(size + _RECORD_COST * lines))
        self.total = 2 * size
        with Workers(min(self.limits.workers, max(len(parts), _LEAST_BUCKETS))) as pool:
            tally = self._deal_all(pool, parts, seed, unit)
            self._gather_all(pool, tally)
        self.progress(self.total, self.total)
        return {name: tally[name] for name in ("records", "bytes")} | {
            "reused": self.reused
        }

    def _buckets(self, memory):
        """How many buckets `memory` is parted into, each with room for chance."""
        count = max(_LEAST_BUCKETS, -(-memory * 5 // (4 * self.limits.bucket)))
        if count > _MOST_BUCKETS:
            raise ValueError(
                f"memory: too little for this corpus, {count} buckets would be "
                f"needed and {_MOST_BUCKETS} is the most"
            )
        return count

    def _deal_all(self, pool, parts, seed, unit):
        """Pass 1; once more if lines are so many that the buckets became too large."""
        while True:
            self.done = self.reused = 0
            buckets = self.scratch.buckets
            common = {"do": "deal", "folder": str(self.scratch.folder)}
            common |= {"buckets": buckets, "seed": seed, "unit": unit}
            common |= {"block": self.limits.block, "records": self.limits.records}
            jobs = (
                {**common, "part": n, "source": str(source), "start": a, "stop": b}
                for n, (source, a, b) in enumerate(parts)
                if not self._skip(self.scratch.has_part(n), b - a)
            )
            for job, _ in pool.run(jobs):
                self._step(job["stop"] - job["start"])
            tally = self._tally(pool, len(parts))
            if tally["heaviest"] <= self.limits.bucket:
                return tally
            self.scratch.begin(self._buckets(buckets * tally["heaviest"]))

    def _tally(self, pool, parts):
        job = {"do": "tally", "folder": str(self.scratch.folder), "parts": parts}
        job |= {"record_cost": _RECORD_COST, "room": self.limits.bucket}
        ((_, tally),) = pool.run([{**job, "buckets": self.scratch.buckets}])
        return tally

    def _gather_all(self, pool, tally):
        """Pass 2."""
        buckets, offsets = self.scratch.buckets, tally["offsets"]
        self.scratch.size_output(tally["bytes"])
        job = {"do": "gather", "folder": str(self.scratch.folder), "buckets": buckets}
        jobs = (
            {**job, "bucket": bucket, "offset": start}
            for bucket, (start, end) in enumerate(pairwise(offsets))
            if not self._skip(self.scratch.has_bucket(bucket), end - start)
        )
        for one, _ in pool.run(jobs):
            self._step(offsets[one["bucket"] + 1] - offsets[one["bucket"]])

    def _skip(self, done, size):
        """Whether a step of `size` is `done` by an earlier run; counts it if so."""
        if done:
            self.reused += 1
            self._step(size)
        return done

    def _step(self, size):
        self.done += size
        self.progress(max(min(self.done, self.total - 1), 0), self.total)


def _parts(sources, unit):
    """[(source, start, stop)] of all sources, their bytes and about their lines.

    Parts are of PART bytes or a little more, cut between records.
    """
    parts, size, seen, lines = [], 0, 1, 0
    for source in sources:
        stop = source.stat().st_size
        size += stop
        start = 0
        with open(source, "rb") as file:
            while start < stop:
                file.seek(start)
                sample = file.read(_WINDOW)
                seen, lines = seen + len(sample), lines + sample.count(b"\n")
                end = _cut(file, start + PART, stop, unit)
                parts.append((source, start, end))
                start = end
    return parts, size, size * lines // seen


def _cut(file, offset, stop, unit):
    """The first byte from `offset` on where a record may begin, or `stop`."""
    ending = {"line": rb"\n", "document": rb"\n\r?\n"}[unit]
    position = max(offset - (1 if unit == "line" else 2), 0)
    while position < stop:
        file.seek(position)
        window = file.read(_WINDOW)
        found = re.search(ending, window)
        if found:
            return position + found.end()
        position += max(len(window) - 2, 1)
    return stop
