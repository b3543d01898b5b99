"""CoSENT and FlatNCE against float64 numpy; the heads and batches of pairs."""

import keras
import numpy as np
import pytest
from keras import ops
from score_gradients import finite_differences, value_and_gradient

from bert4keras3 import layers, losses
from bert4keras3.snippets import PairedGenerator, repeat_rows

VECTORS = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
LABELS = np.array([0.0, 2.5, 1.0, 2.5], "float32")
EACH = np.repeat(LABELS, 2)


def ranked(labels, scores):
    """log(1 + sum) by two loops."""
    total = 1.0
    for label, score in zip(labels, scores, strict=True):
        for other, lower in zip(labels, scores, strict=True):
            total += np.exp(score - lower) if label < other else 0.0
    return np.log(total)


def pair_cosines(vectors):
    x = vectors.astype("float64")
    x = x / np.linalg.norm(x, axis=-1, keepdims=True)
    return (x[::2] * x[1::2]).sum(-1)


def flat(vectors, scale):
    """(B,): the negatives' exponents over the partner's."""
    x = vectors.astype("float64")
    x = x / np.linalg.norm(x, axis=-1, keepdims=True)
    s = scale * x @ x.T
    rows = np.arange(len(x))
    others = rows[:, None] // 2 != rows // 2
    return np.log((np.exp(s - s[rows, rows ^ 1][:, None]) * others).sum(-1))


@pytest.mark.parametrize("labels", [EACH, EACH[:, None], LABELS])
def test_cosent_of_vectors(labels):
    value, gradient = value_and_gradient(
        lambda x: losses.cosent(labels, x, 5.0), VECTORS
    )
    expected = ranked(LABELS, 5.0 * pair_cosines(VECTORS))
    assert value == pytest.approx(expected, rel=1e-5)
    known = finite_differences(lambda x: ranked(LABELS, 5.0 * pair_cosines(x)), VECTORS)
    np.testing.assert_allclose(gradient, known, rtol=1e-3, atol=2e-5)


def test_cosent_of_scores():
    scores = np.array([[0.3], [2.0], [-1.0], [0.5]], "float32")
    value, gradient = value_and_gradient(lambda x: losses.cosent(LABELS, x), scores)
    assert value == pytest.approx(ranked(LABELS, scores[:, 0]), rel=1e-5)
    known = finite_differences(lambda x: ranked(LABELS, x[:, 0]), scores)
    np.testing.assert_allclose(gradient, known, rtol=1e-3, atol=2e-5)
    far = 1e4 * scores
    value, gradient = value_and_gradient(lambda x: losses.cosent(LABELS, x), far)
    worst = max(
        far[i] - far[j] for i in range(4) for j in range(4) if LABELS[i] < LABELS[j]
    )
    assert value == pytest.approx(worst[0]) and np.isfinite(gradient).all()
    assert gradient.sum() == 0 and np.abs(gradient).max() == 1
    assert float(losses.cosent(np.ones(4), far)) == 0  # nothing to rank


def test_cosent_refuses():
    mixed = EACH[[1, 2, 3, 0, 4, 5, 6, 7]]
    bad = np.array([0.0, np.nan, 1.0, 1.0])
    for labels, message in (
        (mixed, "same label in rows 2i"),
        (bad, "no NaN"),
        (EACH[:6], "4 pairs or for"),
    ):
        with pytest.raises(ValueError, match=message):
            losses.cosent(labels, VECTORS)
    with pytest.raises(ValueError, match="even number of rows"):
        losses.cosent(EACH[:7], VECTORS[:7])
    with pytest.raises(ValueError, match="the 8 pairs. Received"):
        losses.cosent(LABELS, VECTORS[:, :1])
    with pytest.raises(ValueError, match="no loss of one row"):
        losses.CoSENT()(EACH, VECTORS, sample_weight=EACH)
    if keras.config.backend() != "torch":  # where nothing is compiled
        value, _ = value_and_gradient(lambda x: losses.cosent(mixed, x), VECTORS)
        assert np.isnan(value)


@pytest.mark.parametrize("scale", [1.0, 20.0])
def test_flat_nce(scale):
    value, gradient = value_and_gradient(lambda x: losses.flat_nce(x, scale), VECTORS)
    np.testing.assert_allclose(value, flat(VECTORS, scale), rtol=1e-4, atol=1e-4)
    known = finite_differences(lambda x: flat(x, scale), VECTORS)
    np.testing.assert_allclose(gradient, known, rtol=1e-3, atol=1e-4)
    plain = ops.convert_to_numpy(losses.contrastive_crossentropy(VECTORS, scale))
    np.testing.assert_allclose(np.log1p(np.exp(value)), plain, rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match="and 4 rows"):
        losses.flat_nce(VECTORS[:2])


def test_settings_are_saved():
    for loss in (losses.CoSENT(scale=3.0), losses.FlatNCE(scale=3.0)):
        again = keras.losses.deserialize(keras.losses.serialize(loss))
        assert again.get_config() == loss.get_config() and again.scale == 3.0
        assert float(again(EACH, VECTORS)) == float(loss(EACH, VECTORS))


@pytest.mark.parametrize("product", [False, True])
def test_features_of_pairs(product):
    found = ops.convert_to_numpy(layers.PairFeatures(product)(VECTORS))
    u, v = VECTORS[::2], VECTORS[1::2]
    parts = [u, v, abs(u - v), u * v][: 3 + product]
    np.testing.assert_allclose(found[::2], np.concatenate(parts, -1), rtol=1e-6)
    np.testing.assert_array_equal(found[::2], found[1::2])
    with pytest.raises(ValueError, match="even number of rows"):
        layers.PairFeatures()(VECTORS[:3])


def test_batches_of_pairs():
    data = [(([i, i],), ([i],), i / 2) for i in range(1, 6)]
    (ids,), labels = next(iter(PairedGenerator(data, 3, buckets=(4,))))
    assert ids.tolist() == [
        [1, 1, 0, 0],
        [1, 0, 0, 0],
        [2, 2, 0, 0],
        [2, 0, 0, 0],
        [3, 3, 0, 0],
        [3, 0, 0, 0],
    ]
    assert labels.tolist() == [0.5, 0.5, 1.0, 1.0, 1.5, 1.5]
    twice = [(one, two, (1, y)) for one, two, y in data]
    assert [y.tolist() for y in next(iter(PairedGenerator(twice, 1)))[1]] == [
        [1, 1],
        [0.5, 0.5],
    ]
    batches = [((np.array([[1], [2]]),), None, np.array([1.0, 3.0]))]
    (ids,), labels, weights = next(repeat_rows(batches))
    assert ids.tolist() == [[1], [1], [2], [2]] and labels is None
    assert weights.tolist() == [1, 1, 3, 3]
