"""The CRF as a layer: what it takes, what it refuses, what must not matter."""

import keras
import numpy as np
import pytest
from chain_helpers import (
    MODES,
    built,
    chain_scores,
    every_path,
    log_sum,
    logits,
    with_gradients,
)
from keras import ops

from bert4keras3.layers import ConditionalRandomField

LABELS = 4
MASK = np.arange(6) < np.array([[6], [4], [1], [0]])
TRANS = np.random.default_rng(1).normal(size=(LABELS, LABELS)).astype("float32")
Y = np.random.default_rng(2).integers(0, LABELS, MASK.shape)


@pytest.fixture
def crf():
    return built(ConditionalRandomField(), LABELS, TRANS)


def test_call_marks_masked_steps_and_drops_the_mask(crf):
    x = np.random.default_rng(0).normal(size=(*MASK.shape, LABELS)).astype("float32")
    out = ops.convert_to_numpy(crf(x, mask=MASK))
    np.testing.assert_array_equal(out, np.where(MASK[..., None], x, -np.inf))
    np.testing.assert_array_equal(ops.convert_to_numpy(crf(x)), x)
    assert crf.compute_mask(x, MASK) is None
    half = ConditionalRandomField(dtype="mixed_bfloat16")(x, mask=MASK)
    assert keras.backend.standardize_dtype(half.dtype) == "float32"


def test_padding_changes_nothing(crf):
    x = logits(MASK, LABELS)
    wide = np.pad(x, [(0, 0), (0, 3), (0, 0)], constant_values=-np.inf)
    labels = np.pad(Y, [(0, 0), (0, 3)], constant_values=-100)  # free where masked

    def loss(y):
        return lambda x: crf.sparse_loss(y, x)

    value, grads = with_gradients(crf, loss(Y), x, MODES[-1])
    padded, others = with_gradients(crf, loss(labels), wide, MODES[-1])
    np.testing.assert_allclose(padded, value, atol=1e-6)
    np.testing.assert_allclose(others[0][:, :6], grads[0], atol=1e-6)
    assert (others[0][:, 6:] == 0).all()
    np.testing.assert_allclose(others[1], grads[1], atol=1e-6)
    np.testing.assert_array_equal(crf.decode(wide)[:, :6], crf.decode(x))
    assert value[3] == 0 and (grads[0][3] == 0).all()  # nothing real


@pytest.mark.parametrize("mode", MODES)
def test_gradients_are_finite_differences(crf, mode):
    x = logits(MASK, LABELS)[:3]
    paths = every_path(6, LABELS)

    def loss(x, trans):
        total = 0.0
        for nodes, mask, y in zip(x, MASK, Y, strict=False):
            distinct = paths[(paths[:, ~mask] == 0).all(1)]
            norm = log_sum(chain_scores(distinct, nodes, trans, mask))
            total += norm - chain_scores(y[None], nodes, trans, mask)[0]
        return total

    _, grads = with_gradients(crf, lambda x: crf.sparse_loss(Y[:3], x), x, mode)
    for which, grad in enumerate(grads):
        given = [x.astype("float64"), TRANS.astype("float64")]
        for place in np.argwhere(np.isfinite(given[which]))[::5]:
            place, values = tuple(place), []
            for step in (1e-5, -2e-5):
                given[which][place] += step
                values.append(loss(*given))
            given[which][place] += 1e-5
            known = (values[0] - values[1]) / 2e-5
            np.testing.assert_allclose(grad[place], known, atol=1e-5)


def test_long_sequences_keep_their_precision(crf):
    x = logits(np.ones((2, 700), bool), LABELS, scale=30)
    shares = ops.convert_to_numpy(crf.marginals(x))
    np.testing.assert_allclose(shares.sum(-1), 1, atol=1e-5)


@pytest.mark.parametrize("bad", [LABELS, -1, 1.5, np.nan])
def test_labels_that_do_not_exist(crf, bad):
    x, y = logits(MASK, LABELS), Y.astype("float32")
    y[1, 4] = bad  # masked
    assert np.isfinite(ops.convert_to_numpy(crf.sparse_loss(y, x))).all()
    y[1, 2] = bad
    for method in (crf.sparse_loss, crf.sparse_accuracy):
        with pytest.raises(ValueError, match="has labels 0 to 3"):
            method(y, x)
    if "jit" in MODES:  # nothing can be raised: a loud number instead
        value, _ = with_gradients(crf, lambda x: crf.sparse_loss(y, x), x, "jit")
        np.testing.assert_array_equal(np.isnan(value), [False, True, False, False])


def test_bad_shapes_and_arguments(crf):
    x = logits(MASK, LABELS)
    with pytest.raises(ValueError, match="one label per step"):
        crf.sparse_loss(Y[:, :5], x)
    with pytest.raises(ValueError, match="one label per step"):
        crf.sparse_loss(np.eye(LABELS)[Y], x)
    with pytest.raises(ValueError, match="dense labels"):
        crf.dense_loss(Y, x)
    with pytest.raises(ValueError, match="its own outputs"):
        crf.sparse_loss(Y, x[..., :3])
    with pytest.raises(ValueError, match="ends must hold labels"):
        crf.decode(ops.convert_to_tensor(x), ends=[LABELS])
    for bad in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="lr_multiplier"):
            ConditionalRandomField(lr_multiplier=bad)


def test_broken_logits_are_loud(crf):
    x = logits(MASK, LABELS)
    x[0, 2] = np.nan
    value = ops.convert_to_numpy(crf.sparse_loss(Y, x))
    np.testing.assert_array_equal(np.isnan(value), [True, False, False, False])


def test_lr_multiplier_only_scales_what_is_stored():
    layer = built(ConditionalRandomField(lr_multiplier=100), LABELS, TRANS)
    stored = ops.convert_to_numpy(layer.weights[0])
    np.testing.assert_allclose(stored, TRANS / 100, rtol=1e-6)
    np.testing.assert_allclose(ops.convert_to_numpy(layer.trans), TRANS, rtol=1e-6)
    fresh = built(ConditionalRandomField(lr_multiplier=100), LABELS)
    assert 0 < np.abs(ops.convert_to_numpy(fresh.trans)).max() < 1.5
