"""sequence_padding, DataGenerator and indexable files."""

import json
import threading
from pathlib import Path

import numpy as np
import pytest

from bert4keras3 import snippets
from bert4keras3.snippets import DataGenerator, LengthBuckets, sequence_padding

FILE = Path(__file__).parent / "golden" / "snippets" / "snippets.json"
GOLDEN = json.loads(FILE.read_text("utf-8"))


class Lists(DataGenerator):
    """Batches that are lists of samples."""

    def __iter__(self, random=False):
        batch = []
        for is_end, item in self.sample(random):
            batch.append(item)
            if len(batch) == self.batch_size or is_end:
                yield batch
                batch = []


class Endless:
    """An iterable without len() that can start over."""

    def __init__(self, size):
        self.size = size

    def __iter__(self):
        return iter(range(self.size))


@pytest.mark.parametrize("i", range(9))
def test_sequence_padding(i):
    case = GOLDEN["sequence_padding"][i]
    arguments, result = case["args"], case["result"]
    if arguments.get("mode") == "foo":
        with pytest.raises(ValueError, match='"mode" argument must be'):
            sequence_padding(**arguments)
        return
    if isinstance(result, dict):  # the original took no nested lists there
        result = GOLDEN["sequence_padding_2d"]["seq_dims_2"]
    found = sequence_padding(**arguments)
    assert found.tolist() == result
    floats = "1.5" in str(arguments["inputs"])
    assert found.dtype == (np.float64 if floats else np.int32)


def test_padding_to_buckets_and_of_arrays():
    rows = [[1, 2, 3], [4]]
    assert sequence_padding(rows, length=[2, 4, 8]).shape == (2, 4)
    assert sequence_padding(rows, length=LengthBuckets((3, 8))).shape == (2, 3)
    with pytest.raises(ValueError, match=r"3 items .*largest bucket \(2\)"):
        sequence_padding(rows, length=[1, 2])
    arrays = [np.ones((2, 3), "float32"), np.ones((1, 2), "float32")]
    found = sequence_padding(arrays, length=[3, 4], value=9, seq_dims=2)
    assert found.shape == (2, 3, 4) and found.dtype == np.float32
    assert found[1].tolist() == [[1, 1, 9, 9], [9] * 4, [9] * 4]
    assert sequence_padding([[], [2**40]]).tolist() == [[0], [2**40]]
    for bad in ([], [np.ones((2, 3)), np.ones((2, 4))]):
        with pytest.raises(ValueError, match="at least one|differs"):
            sequence_padding(bad)


@pytest.mark.parametrize(("n", "size"), [(7, 3), (6, 3), (1, 4), (3, 1)])
def test_batches(n, size):
    case = GOLDEN["DataGenerator"][f"n{n}_bs{size}"]
    generator = Lists(list(range(n)), size)
    assert len(generator) == case["len"]
    assert list(generator) == case["ordered"]
    assert [list(pair) for pair in generator.sample()] == case["sample"]
    np.random.seed(11)
    assert list(generator.__iter__(random=True)) == case["random_seed_11"]


def test_shuffling_without_len():
    case = GOLDEN["DataGenerator"]["iterator"]
    generator = Lists(Endless(7), 3, buffer_size=4)
    np.random.seed(12)
    assert list(generator.__iter__(random=True)) == case["random_seed_12_buffer_4"]
    with pytest.raises(TypeError, match="steps_per_epoch"):
        len(generator)


def test_seed_and_endless_batches():
    forfit = Lists(list(range(5)), 2).forfit(random=False)
    right = [tuple(batch) for batch in GOLDEN["DataGenerator"]["forfit_7"]]
    assert [next(forfit) for _ in range(7)] == right
    fortest = Lists(list(range(5)), 2).fortest()
    assert [next(fortest) for _ in range(7)] == GOLDEN["DataGenerator"]["fortest_7"]
    passes = [list(Lists(range(50), 4, seed=s).__iter__(True)) for s in (1, 1, 2)]
    assert passes[0] == passes[1] != passes[2]
    dropped = Lists(range(5), 2, drop_remainder=True)
    assert list(dropped) == [[0, 1], [2, 3]] and len(dropped) == 2


@pytest.mark.parametrize("data", [[], Endless(0)])
def test_empty_data(data):
    """The original raised RuntimeError from inside a generator."""
    for random in (False, True):
        with pytest.raises(ValueError, match="got no sample"):
            next(Lists(data, 2).forfit(random))
    with pytest.raises(ValueError, match="fewer samples than batch_size=2"):
        list(Lists([1], 2, drop_remainder=True))


def test_background_thread_ends():
    batches = Lists(range(100), 2).forfit(prefetch=2)
    next(batches)
    thread = next(t for t in threading.enumerate() if t.name == "prefetch")
    batches.close()
    thread.join(5)
    assert not thread.is_alive()
    with pytest.raises(ValueError, match="got no sample"):
        next(Lists([], 2).forfit(prefetch=2))


def test_indexable_file(tmp_path):
    path, cache = tmp_path / "corpus.txt", tmp_path / "offsets.json"
    lines = ["今天", "", "hello\rworld", "天气"]
    path.write_bytes("\r\n".join(lines).encode())
    for _ in range(2):  # the second time with the cached offsets
        with snippets.open(str(path), indexable=str(cache)) as f:
            assert [f[i] for i in range(len(f))] == list(f) == lines
            assert f[-1] == "天气"
            with pytest.raises(IndexError, match="has 4 lines"):
                f[4]
    path.write_text("one\ntwo\n", encoding="utf-8", newline="\n")
    with snippets.open(path, indexable=str(cache)) as f:  # the cache is out of date
        assert list(f) == ["one", "two"]
    with snippets.open(path, encoding="utf-8") as f, pytest.raises(TypeError):
        f[0]
