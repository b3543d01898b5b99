"""How much each process of a shuffle may hold."""

import os
import re
from dataclasses import dataclass

_COMMAND = 16_000_000  # memory of the calling command itself: Python without numpy
_WORKER = 28_000_000  # memory of a worker before it holds anything: Python and numpy
_SPARE = 6_000_000  # of a worker: slices in flight
_LEAST = 32_000_000  # memory for data that makes a worker worth while
_LINE_COST = 96  # bytes a line takes besides its own, in the first pass
_PIECE = 4096  # bytes read at a time in the second pass, if possible: a page


@dataclass(frozen=True)
class Limits:
    """Bytes and lines that a worker holds, by the memory it may take."""

    workers: int
    block: int  # bytes of a source in pass 1, hence of a record
    records: int  # lines in pass 1
    bucket: int  # bytes of a bucket with its arrays in pass 2


def parse_memory(memory: int | str) -> int:
    """Return bytes of an int or of text such as "256MB" (10^6) or "256MiB" (2^20).

    Raises ValueError for anything else.
    """
    found = re.fullmatch(r"(\d+)\s*(?:([KMGT])(I?)B)?", str(memory).strip().upper())
    if isinstance(memory, bool) or not found:
        raise ValueError(f'memory: expected bytes or "256MB", received {memory!r}')
    power = " KMGT".index(found[2] or " ")
    return int(found[1]) * (1024 if found[3] else 1000) ** power


def limits_of(memory: int, workers: int | None, size: int) -> Limits:
    """Limits of `workers` (None: as many as fit) for sources of `size` bytes.

    Raises ValueError for too little memory.
    """
    if workers is None:
        workers = _fitting(memory, size)
    if not isinstance(workers, int) or workers < 0:
        raise ValueError(f"workers: expected an integer from 0, received {workers!r}")
    fixed = _COMMAND + workers * _WORKER if workers else 0
    each = (memory - fixed) // max(workers, 1)
    if each < _LEAST // 3:
        least = (fixed + max(workers, 1) * _LEAST // 3) // 1_000_000 + 1
        raise ValueError(
            f"memory: {max(workers, 1)} workers need {least}MB at least, received "
            f"{memory:,} bytes"
        )
    block = min(each // 4, 64 << 20)
    return Limits(workers, block, each // 4 // _LINE_COST, each - _SPARE)


def _fitting(memory, size):
    """How many workers have memory enough for a corpus of `size` bytes.

    Pass 2 reads from every block what it has of a bucket, and both are smaller for
    workers of little memory: 4 of 32 MB each would read 100 GB in pieces of 1 KB.
    """
    fitting = (memory - _COMMAND) // (_WORKER + _LEAST)
    workers = max(1, min(len(_cores()), fitting))
    while workers > 1:
        each = (memory - _COMMAND) // workers - _WORKER
        # A block of each / 4, by buckets of about half of `each`: keys take room too.
        if each * each >= 8 * size * _PIECE:
            break
        workers -= 1
    return workers


def _cores():
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return range(os.cpu_count() or 1)
