"""The memory of the shuffle where the corpus is large: on files as it leaves them."""

import tracemalloc
from contextlib import contextmanager

import numpy as np
import pytest

from bert4keras3.pretraining import shuffle_limits, shuffle_passes, shuffle_workers
from bert4keras3.pretraining.shuffle_limits import limits_of
from bert4keras3.pretraining.shuffle_tally import tally

MB = 1_000_000


@contextmanager
def peak_below(limit):
    """Assert what Python and numpy hold at most inside."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < limit, f"{peak:,} bytes"


def make_parts(folder, blocks, buckets):
    """The files of parts that are dealt; returns their cuts, (blocks, K+1, 2)."""
    steps = np.random.default_rng(0).integers(0, 99, (max(blocks), buckets + 1, 2))
    steps[:, 0] = 0
    all_cuts = np.cumsum(steps, axis=1).astype(np.uint32)
    found = []
    for part, count in enumerate(blocks):
        cuts = all_cuts[:count] * np.uint32(part % 7 + 1)
        cuts.tofile(folder / f"{buckets}-{part}.cuts")
        with open(folder / f"{buckets}-{part}.data", "wb") as file:
            file.truncate(int((cuts[:, -1] @ np.array([12, 1])).sum()))
        found.append(cuts)
    return np.concatenate(found)


@pytest.mark.parametrize("room", [1, 2500, 1 << 20])
def test_tally_of_few_blocks(room, tmp_path):
    cuts = make_parts(tmp_path, [3, 0, 20, 1], 10).astype(np.int64)
    found = tally(tmp_path, parts=4, buckets=10, record_cost=64, room=room)
    records, offsets = cuts.sum(axis=0).T
    weights = np.diff(offsets) + 64 * np.diff(records)
    expected = {"records": records[-1], "bytes": offsets[-1]}
    assert found == expected | {"offsets": list(offsets), "heaviest": max(weights)}
    table = np.fromfile(tmp_path / "cuts", np.uint32).reshape(11, 24, 2)
    assert (table == cuts.transpose(1, 0, 2)).all()
    sizes = cuts[:, -1] @ [12, 1]
    blocks = np.fromfile(tmp_path / "blocks", np.int64).reshape(24, 2)
    assert blocks[:, 0].tolist() == [0] * 3 + [2] * 20 + [3]
    for part in (0, 2, 3):
        mine = blocks[:, 0] == part
        assert (np.diff(blocks[mine, 1]) == sizes[mine][:-1]).all()
        assert blocks[mine, 1][0] == 0


def test_tally_of_a_part_that_is_cut_off(tmp_path):
    make_parts(tmp_path, [2], 10)
    (tmp_path / "10-0.data").write_bytes(b"")
    with pytest.raises(OSError, match="10-0.data has 0 bytes, expected [0-9]+"):
        tally(tmp_path, 1, 10, 64, 1 << 20)


def test_memory_of_tables(tmp_path):
    """2,000 blocks of 4,096 buckets: a table of 66 MB."""
    cuts = make_parts(tmp_path, [8] * 250, 4096)
    with peak_below(7 * MB):  # what is given, and 2 MB: sums and lists by bucket
        found = tally(tmp_path, 250, 4096, record_cost=64, room=5 * MB)
    assert found["records"] == cuts[:, -1, 0].sum(dtype=int)
    sizes = cuts[:, -1, 1].sum(dtype=int)
    assert found["offsets"][-1] == found["bytes"] == sizes
    table = np.memmap(tmp_path / "cuts", np.uint32, "r", shape=(4097, 2000, 2))
    for bucket in (0, 1, 2000, 4096):
        assert (table[bucket] == cuts[:, bucket]).all()


def test_memory_of_the_blocks_of_a_bucket(tmp_path):
    """200,000 blocks, as of terabytes; one of them has records of the bucket."""
    blocks = np.zeros((200_000, 2), np.int64)
    blocks.tofile(tmp_path / "blocks")
    cuts = np.zeros((2, 200_000, 2), np.uint32)
    cuts[1, 150_000] = 2, 6
    cuts.tofile(tmp_path / "cuts")
    content = np.array([7, 5], np.uint64).tobytes()
    content += np.array([4, 2], np.uint32).tobytes() + b"two\n1\n"
    (tmp_path / "1-0.data").write_bytes(content)
    (tmp_path / "output").touch()
    with peak_below(MB):
        shuffle_passes.gather(tmp_path, 1, 0, 0)
    assert (tmp_path / "output").read_bytes() == b"1\ntwo\n"


def test_memory_of_large_records(tmp_path):
    """They are written as they lie, with no second copy of one."""
    size = 5 << 20
    data = np.zeros(4 * size, np.uint8)
    starts = np.array([3 * size, 0, 2 * size, size])
    lengths = np.array([size, 70, size - 1, size])
    data[starts] = 1, 2, 3, 4
    data[starts + lengths - 1] += 5
    with peak_below(2 * shuffle_passes.SLICE):
        pieces = list(shuffle_passes._permuted(data, starts, lengths))
    assert [len(piece) for piece in pieces] == lengths.tolist()
    assert [piece[0] for piece in pieces] == [1, 2, 3, 4]
    assert [piece[-1] for piece in pieces] == [5, 5, 5, 5]


def test_jobs_are_taken_as_they_are_needed(monkeypatch):
    monkeypatch.setattr(
        shuffle_workers.Workers, "_ask", lambda self, job: {"result": job}
    )
    taken = []
    jobs = (taken.append(n) or n for n in range(50))
    with shuffle_workers.Workers(2) as pool:
        for number, (job, result) in enumerate(pool.run(jobs), 1):
            assert job == result and len(taken) <= number + 4
    assert taken == list(range(50))


def test_fewer_workers_for_a_large_corpus(monkeypatch):
    """Each with more memory: pass 2 is not to read less than a page at a time."""
    monkeypatch.setattr(shuffle_limits, "_cores", lambda: range(4))
    for size, workers in ((1e9, 4), (1e11, 2), (1e12, 1), (1e15, 1)):
        assert limits_of(256 * MB, None, size).workers == workers
        assert limits_of(256 * MB, 3, size).workers == 3
    assert limits_of(2000 * MB, None, 1e12).workers == 4
