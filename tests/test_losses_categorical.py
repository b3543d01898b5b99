"""R-Drop, label smoothing, sparse softmax and margins against float64 numpy."""

import math

import keras
import numpy as np
import pytest
from keras import ops
from score_gradients import finite_differences, value_and_gradient

from bert4keras3 import layers, losses

SCORES = 2 * np.random.default_rng(0).normal(size=(4, 5)).astype("float32")
IDS = np.array([1, 1, 4, 4])
ONE_HOT = np.eye(5, dtype="float32")[IDS]


def log_softmax(x):
    x = x.astype("float64")
    return x - np.logaddexp.reduce(x, axis=-1, keepdims=True)


def rdrop(logs, alpha):
    p, q = np.exp(logs[::2]), np.exp(logs[1::2])
    both = (p * np.log(p / q)).sum(-1) + (q * np.log(q / p)).sum(-1)
    return -logs[np.arange(len(logs)), IDS] + alpha / 4 * np.repeat(both, 2)


def smoothed(logs, share):
    target = (1 - share) * ONE_HOT + share / 5
    return -(target * logs).sum(-1)


def sparse_softmax(x, k):
    best = np.sort(x, axis=-1)[:, -k:]
    return np.logaddexp.reduce(best, axis=-1) - x[np.arange(4), IDS]


CASES = {
    "rdrop": (
        lambda x: losses.rdrop(IDS, x, 3.0, from_logits=True),
        lambda x: rdrop(log_softmax(x), 3.0),
    ),
    "smoothed": (
        lambda x: losses.smoothed_crossentropy(IDS, x, 0.2, from_logits=True),
        lambda x: smoothed(log_softmax(x), 0.2),
    ),
    "sparse softmax": (
        lambda x: losses.sparse_softmax_crossentropy(IDS, x, 2),
        lambda x: sparse_softmax(x.astype("float64"), 2),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_value_and_gradient(name):
    loss, known = CASES[name]
    value, gradient = value_and_gradient(loss, SCORES)
    np.testing.assert_allclose(value, known(SCORES), rtol=2e-5)
    found = finite_differences(known, SCORES)
    np.testing.assert_allclose(gradient, found, rtol=1e-3, atol=2e-5)
    value, gradient = value_and_gradient(loss, 1e4 * SCORES)
    assert np.isfinite(value).all() and np.isfinite(gradient).all()


def test_labels_and_outputs_of_every_kind():
    logits = ops.convert_to_numpy(losses.rdrop(IDS, SCORES, from_logits=True))
    chances = np.exp(log_softmax(SCORES)).astype("float32")
    for labels in (IDS, IDS[:, None], ONE_HOT, IDS.astype("float32")):
        found = ops.convert_to_numpy(losses.rdrop(labels, chances))
        np.testing.assert_allclose(found, logits, rtol=1e-4)
    tokens = losses.rdrop(IDS.reshape(2, 2), chances.reshape(2, 2, 5), alpha=0.0)
    plain = -np.log(chances[np.arange(4), IDS]).reshape(2, 2)
    np.testing.assert_allclose(ops.convert_to_numpy(tokens), plain, rtol=1e-4)
    found = losses.smoothed_crossentropy(IDS, chances, 0.2)
    expected = smoothed(log_softmax(SCORES), 0.2)
    np.testing.assert_allclose(ops.convert_to_numpy(found), expected, rtol=1e-4)
    for smooth in (losses.rdrop, losses.smoothed_crossentropy):
        with pytest.raises(ValueError, match="Sparse labels must be class numbers"):
            smooth(IDS + 1, chances)
        with pytest.raises(ValueError, match="one-hot.*Received: y_true"):
            smooth(ONE_HOT[:, :3], chances)
    with pytest.raises(ValueError, match="Every text twice|every text twice"):
        losses.rdrop(IDS[:3], chances[:3])


def test_beyond_all_classes_it_is_the_usual_loss():
    found = ops.convert_to_numpy(losses.sparse_softmax_crossentropy(IDS, SCORES, 9))
    np.testing.assert_allclose(found, smoothed(log_softmax(SCORES), 0), rtol=1e-5)


def margins(c, kind, m, scale):
    """(B,) by the papers, one row after the other."""
    result = []
    for row, label in zip(c.astype("float64"), IDS, strict=True):
        if kind == "circle":
            logits = [np.maximum(x + m, 0) * (x - m) for x in row]
            right = np.maximum(1 + m - row[label], 0) * (row[label] - (1 - m))
        else:
            logits = list(row)
            angle = math.acos(row[label])
            beyond = row[label] - m * math.sin(m)
            turned = math.cos(angle + m) if angle + m <= math.pi else beyond
            right = row[label] - m if kind == "am" else turned
        logits[label] = right
        logits = scale * np.array(logits)
        result.append(np.logaddexp.reduce(logits) - logits[label])
    return np.array(result)


COSINES = np.random.default_rng(3).uniform(-0.95, 0.95, (4, 5)).astype("float32")
COSINES[0, 1] = -0.97


@pytest.mark.parametrize("kind", ["am", "arc", "circle"])
def test_margins(kind):
    m, scale = 0.4, 7.0
    value, gradient = value_and_gradient(
        lambda x: losses.margin_softmax(IDS, x, kind, m, scale), COSINES
    )
    np.testing.assert_allclose(value, margins(COSINES, kind, m, scale), rtol=1e-4)
    if kind != "circle":  # whose factors are constants
        known = finite_differences(lambda x: margins(x, kind, m, scale), COSINES)
        np.testing.assert_allclose(gradient, known, rtol=1e-3, atol=1e-4)
    edge = np.clip(2 * COSINES, -1, 1)
    value, gradient = value_and_gradient(
        lambda x: losses.margin_softmax(IDS, x, kind), edge
    )
    assert np.isfinite(value).all() and np.isfinite(gradient).all()
    with pytest.raises(ValueError, match="CosineDense"):
        losses.margin_softmax(IDS, 2 * COSINES, kind)
    with pytest.raises(ValueError, match="kind must be one of"):
        losses.MarginSoftmax("cosface")


def test_cosines_of_a_layer():
    layer = layers.CosineDense(5)
    x = SCORES[:, :3]
    found = ops.convert_to_numpy(layer(x))
    kernel = ops.convert_to_numpy(layer.kernel)
    lengths = np.outer(np.linalg.norm(x, axis=1), np.linalg.norm(kernel, axis=0))
    np.testing.assert_allclose(found, x @ kernel / lengths, atol=1e-6)
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(layer)
    )
    assert again.units == 5
