"""Packed batches: nothing is lost, rows are full, a stream goes on where it was."""

from collections import Counter

import numpy as np
import pytest
from packed_rows import made, outputs

from bert4keras3.snippets import PackedGenerator, Unpacked, predict_each
from bert4keras3.training import Checkpoint
from bert4keras3.utils.rows import AHEAD


def samples(count, longest=12, seed=0):
    """((ids, segments), number): ids tell the sample, of which all have one."""
    rng = np.random.default_rng(seed)
    sizes = np.clip(rng.normal(6, 2.5, count).round(), 2, longest).astype(int)
    return [(([i + 1] * n, [i % 2] * n), i) for i, n in enumerate(sizes.tolist())]


def generator(data, rows=4, **options):
    return PackedGenerator(data, rows, **{"length": 32, "seed": 0, **options})


def unpacked(batch, data):
    """Numbers of the samples in a batch, which must be what the data say."""
    (ids, segments, starts), labels, weights = batch
    assert {x.dtype for x in (ids, segments, starts, labels)} == {np.dtype("int32")}
    assert weights.dtype == np.float32 and starts.shape == labels.shape
    seen = []
    for row in range(len(ids)):
        expected, parts = [], []
        for place in np.flatnonzero(weights[row]):
            (one, part), number = data[labels[row, place]]
            assert starts[row, place] == len(expected)
            expected, parts = expected + one, parts + part
            seen.append(number)
        filler = [0] * (ids.shape[1] - len(expected))
        assert ids[row].tolist() == expected + filler
        assert segments[row].tolist() == parts + filler
        empty = starts[row][len(np.flatnonzero(weights[row])) :]
        assert (empty[int(starts[row, 0] == 0 and not weights[row, 0]) :] == 32).all()
        assert starts[row, 0] == 0
    return seen


@pytest.mark.parametrize("random", [False, True])
def test_one_pass_yields_every_sample_once(random):
    data = samples(201)
    batches = list(generator(data).__iter__(random))
    seen = [number for batch in batches for number in unpacked(batch, data)]
    assert sorted(seen) == list(range(201))
    assert (seen == list(range(201))) == (not random)
    assert {tuple(x.shape for x in batch[0]) for batch in batches} == {
        ((4, 32), (4, 32), (4, 4))
    }
    if random:
        assert len(batches) == len(generator(data))


@pytest.mark.parametrize("count", [403, 7])
def test_endless_batches_are_full_and_fair(count):
    data, times = samples(count), Counter()
    stream = generator(data, texts=9).forfit()
    full = []
    for _ in range(120):
        batch = next(stream)
        times.update(unpacked(batch, data))
        full.append((batch[0][0] > 0).mean())
    assert np.mean(full) > 0.985
    assert set(times) == set(range(count))
    assert max(times.values()) - min(times.values()) <= 1 + (AHEAD + 40) // count


def test_most_texts_of_a_row_and_labels():
    data = [(([1, 2],), (i, [i, 0.5])) for i in range(5)]
    (ids, starts), labels, weights = next(iter(generator(data, 2, texts=3)))
    assert starts.tolist() == [[0, 2, 4], [0, 2, 32]]
    assert (ids != 0).sum(axis=1).tolist() == [6, 4]
    assert labels[0].tolist() == [[0, 1, 2], [3, 4, 0]]
    assert labels[1].shape == (2, 3, 2) and labels[1][1, 1].tolist() == [4, 0.5]
    assert [w.tolist() for w in weights] == [[[1, 1, 1], [1, 1, 0]]] * 2
    assert next(iter(generator([(([1],), None)], 1)))[1] is None


class Spans(PackedGenerator):
    def collate(self, rows):
        spans = [[offset + label for offset, _, label in row] for row in rows]
        return self.inputs(rows), spans


def test_labels_of_a_subclass():
    data = [(([1] * 20,), 3), (([2] * 20,), 5), (([3] * 12,), 1)]
    assert next(iter(Spans(data, 3, length=32)))[1] == [[3], [5, 21], []]


def test_the_count_of_steps():
    data = samples(5000)
    made_ = len(list(generator(data).__iter__(True)))
    assert abs(len(generator(data)) - made_) <= 0.02 * made_
    with pytest.raises(TypeError, match="has no length"):
        len(generator(iter(data)))


@pytest.mark.parametrize("batch", [3, 25])
def test_a_stream_goes_on(batch, tmp_path):
    """From a note of any batch the same batches follow, bit for bit."""
    data, first = samples(101), generator(samples(101))
    passes, stream = first.recorded(), first.forfit()
    following = [next(stream) for _ in range(batch + 20)][batch:]
    again = generator(data, seed=7)
    again.recorded(passes.at(batch))
    found = again.forfit()
    for expected in following:
        one = next(found)
        for x, y in zip(
            (*one[0], *one[1:]), (*expected[0], *expected[1:]), strict=True
        ):
            np.testing.assert_array_equal(x, y)
    with pytest.raises(ValueError, match="length was 32. Received: 40"):
        generator(data, length=40).recorded(passes.at(batch))
    assert Checkpoint(tmp_path, data=generator(data)).passes is not None


def test_samples_that_fit_no_row():
    with pytest.raises(ValueError, match=r"sample 1 .*33 items.*length=32"):
        list(generator([(([1],), 0), (([1] * 33,), 0)]).__iter__(True))
    with pytest.raises(ValueError, match=r"\[2, 1\] items"):
        list(generator([(([1, 2], [0]), 0)]))
    with pytest.raises(ValueError, match="at least 1"):
        generator([], length=0)


@pytest.mark.parametrize("lengths", [(3, 5, 2), (1, 1)])
def test_predictions_one_text_a_row(lengths):
    t = made("bert", packed=True, with_first_token=True)
    rng = np.random.default_rng(0)
    texts = [(rng.integers(1, 40, n).tolist(), [0] * n) for n in lengths]
    buckets = [max(lengths)]
    found = predict_each(Unpacked(t.model), texts, lambda x, rows: x, 4, buckets)
    plain = made("bert", with_first_token=True).model
    for (ids, segments), one in zip(texts, found, strict=True):
        expected = outputs(plain, [np.array([x], "int32") for x in (ids, segments)])
        np.testing.assert_allclose(one, expected[0], atol=1e-5)
