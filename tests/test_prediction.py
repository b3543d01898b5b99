"""Predictions over a whole set come back complete, in few shapes."""

import numpy as np
import pytest

from bert4keras3.snippets import LengthBuckets, predict_batches, predict_each


class Sums:
    """Stands for a model: remembers the shapes, returns sums and the ids."""

    def __init__(self):
        self.shapes = []

    def predict_on_batch(self, inputs):
        first = inputs[0] if isinstance(inputs, list) else inputs
        self.shapes.append(first.shape)
        return [first.sum(axis=1), first] if isinstance(inputs, list) else first


@pytest.fixture
def samples():
    sizes = np.random.default_rng(0).integers(1, 40, 57)
    return [([row + 1] * n, [0] * n) for row, n in enumerate(sizes)]


def test_every_sample_once_with_its_own_result(samples):
    model, seen = Sums(), []
    for rows, (sums, ids) in predict_batches(model, samples, 8, (16, 32, 40)):
        seen += rows.tolist()
        for row, total, one in zip(rows, sums, ids, strict=True):
            assert total == (row + 1) * len(samples[row][0])
            assert one[len(samples[row][0]) :].sum() == 0
    assert sorted(seen) == list(range(57))
    assert set(model.shapes) == {(8, 16), (8, 32), (8, 40)}
    assert [shape[1] for shape in model.shapes] == sorted(
        (shape[1] for shape in model.shapes), reverse=True
    )


def test_one_input_goes_in_as_an_array(samples):
    model = Sums()
    for rows, ids in predict_batches(model, [(a,) for a, _ in samples[:3]], 4):
        assert len(rows) == len(ids)
    assert model.shapes[0][0] == 4


def test_no_sample_is_no_batch():
    assert list(predict_batches(Sums(), [])) == []


def test_what_does_not_fit_is_an_error(samples):
    with pytest.raises(ValueError, match="batch_size"):
        next(predict_batches(Sums(), samples, 0))
    with pytest.raises(ValueError, match="16"):
        next(predict_batches(Sums(), samples, buckets=LengthBuckets([16])))


def test_results_come_in_the_order_of_the_samples(samples):
    def decode(outputs, rows):
        assert len(outputs[0]) == len(rows)
        return outputs[0].tolist()

    found = predict_each(Sums(), samples, decode, 8, (16, 32, 40))
    assert found == [sum(ids) for ids, _ in samples]
    with pytest.raises(ValueError, match="one result for each"):
        predict_each(Sums(), samples, lambda outputs, rows: [], 8, (40,))
