"""F1 metrics in the graph equal the counting of Python sets, batch after batch."""

import keras
import numpy as np
import pytest
from keras import ops

from bert4keras3 import layers, losses, metrics

H, T, C = 3, 7, 5
AVERAGES = ("micro", "macro", None)


def f1(predicted, gold, types, average):
    """F1 of two sets of (sample, type, ...)."""
    hits, sizes = np.zeros(types), np.zeros(types)
    for kind in range(types):
        one, other = ({x for x in s if x[1] == kind} for s in (predicted, gold))
        hits[kind], sizes[kind] = len(one & other), len(one) + len(other)
    if average == "micro":
        return 2 * hits.sum() / max(sizes.sum(), 1)
    each = 2 * hits / np.maximum(sizes, 1)
    return each.mean() if average == "macro" else each


def batches():
    """(pairs, matrix, scores, lengths) of two batches; type 2 has no gold span."""
    for size in (4, 3):
        lengths = np.random.randint(4, T + 1, size)
        pairs = np.sort(np.random.randint(1, T - 1, (size, H, 5, 2)), axis=-1)
        pairs[:, :, 3] = pairs[:, :, 0]
        pairs[:, :, 4] = 0
        pairs[:, 2] = 0
        matrix = np.zeros((size, H, T, T), "float32")
        b, h, k = np.indices(pairs.shape[:3])
        matrix[b, h, pairs[..., 0], pairs[..., 1]] = 1.0
        matrix[:, :, 0, 0] = 0.0
        scores = np.random.randn(size, H, T, T).astype("float32") + 3 * matrix - 1
        seen = np.arange(T) < lengths[:, None]
        seen = seen[:, None] & seen[..., None] & np.triu(np.ones((T, T), bool))
        scores = np.where(seen[:, None], scores, -np.inf).astype("float32")
        yield pairs.astype("int32"), matrix, scores, lengths


@pytest.mark.parametrize("special_tokens", [True, False])
@pytest.mark.parametrize("average", AVERAGES)
def test_spans_equal_sets(average, special_tokens):
    arguments = {"average": average, "special_tokens": special_tokens}
    of_pairs = metrics.SpanF1(**arguments)
    of_matrices = metrics.SpanF1(sparse=False, **arguments)
    predicted, gold = set(), set()
    for number, (pairs, matrix, scores, lengths) in enumerate(batches()):
        of_pairs.update_state(pairs.astype("float32"), scores)
        of_matrices.update_state(matrix, scores)
        for b, h, i, j in np.argwhere(scores > 0).tolist():
            edge = i == 0 or j == lengths[b] - 1
            if not edge if special_tokens else (i, j) != (0, 0):
                predicted.add(((number, b), h, i, j))
        gold |= {((number, b), h, i, j) for b, h, i, j in np.argwhere(matrix).tolist()}
    assert predicted & gold
    assert predicted - gold
    wanted = f1(predicted, gold, H, average)
    for metric in (of_pairs, of_matrices):
        found = ops.convert_to_numpy(metric.result())
        np.testing.assert_allclose(found, wanted, rtol=1e-5)
        if average == "micro":
            hits = len(predicted & gold)
            assert abs(float(metric.precision()) - hits / len(predicted)) < 1e-6
            assert abs(float(metric.recall()) - hits / len(gold)) < 1e-6
        metric.reset_state()
        assert np.all(ops.convert_to_numpy(metric.result()) == 0)


@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize("mask_zero", [False, True])
def test_classes_equal_sets(average, mask_zero):
    of_labels = metrics.MultilabelF1(average)
    of_numbers = metrics.MultilabelF1(average, sparse=True, mask_zero=mask_zero)
    predicted, gold = set(), set()
    for number, size in enumerate((6, 4)):
        ids = np.random.randint(0, C, (size, 2, 3))
        labels = np.zeros((size, 2, C), "float32")
        np.put_along_axis(labels, ids, 1.0, axis=-1)
        scores = np.random.randn(size, 2, C).astype("float32") + labels
        of_numbers.update_state(ids, scores)
        of_labels.update_state(labels, scores)
        for where, found in ((scores > 0, predicted), (labels > 0, gold)):
            found |= {((number, b, r), c) for b, r, c in np.argwhere(where).tolist()}
    found = ops.convert_to_numpy(of_labels.result())
    np.testing.assert_allclose(found, f1(predicted, gold, C, average), rtol=1e-5)
    if mask_zero:  # class 0 is padding
        predicted, gold = ({(x, c - 1) for x, c in s if c} for s in (predicted, gold))
    found = ops.convert_to_numpy(of_numbers.result())
    wanted = f1(predicted, gold, C - mask_zero, average)
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


@pytest.mark.parametrize("sparse", [True, False])
def test_in_fit_and_saved(tmp_path, sparse):
    pairs, matrix, _, _ = next(batches())
    x = np.random.randn(len(pairs), T, 8).astype("float32")
    y = pairs if sparse else matrix
    inputs = keras.Input((None, 8))
    model = keras.Model(inputs, layers.GlobalPointer(H, 8)(inputs))
    kinds = [losses.GlobalPointerCrossentropy, losses.SparseGlobalPointerCrossentropy]
    kinds = {"loss": kinds[sparse](), "optimizer": keras.optimizers.Adam(0.1)}
    model.compile(**kinds, metrics=[metrics.SpanF1(sparse=sparse)])
    history = model.fit(x, y, epochs=25, batch_size=2, verbose=0).history
    assert history["span_f1"][-1] > max(0.6, history["span_f1"][0])
    fresh = metrics.SpanF1(sparse=sparse)
    fresh.update_state(y, model.predict(x, verbose=0))
    found = model.evaluate(x, y, verbose=0, return_dict=True)["span_f1"]
    assert abs(found - float(fresh.result())) < 1e-6
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert abs(again.evaluate(x, y, verbose=0)[1] - found) < 1e-6


def test_config_weights_and_errors():
    metric = metrics.SpanF1(None, threshold=1.0, sparse=False, special_tokens=False)
    again = metrics.SpanF1.from_config(metric.get_config())
    assert again.get_config() == metric.get_config()
    metric = metrics.MultilabelF1(sparse=True, mask_zero=True)
    assert metrics.MultilabelF1.from_config(metric.get_config()).mask_zero
    half = metrics.MultilabelF1()
    labels, scores = np.eye(2), np.array([[1.0, -1.0], [1.0, -1.0]])
    half.update_state(labels, scores, sample_weight=np.array([1.0, 0.0]))
    assert float(half.result()) == 1.0
    with pytest.raises(ValueError, match="average must be one of"):
        metrics.SpanF1("weighted")
    with pytest.raises(ValueError, match="index pairs"):
        metrics.SpanF1().update_state(np.zeros((1, H, T, T)), np.zeros((1, H, T, T)))
    with pytest.raises(ValueError, match="sparse=True"):
        metrics.MultilabelF1().update_state(np.zeros((2, 3)), np.zeros((2, C)))
