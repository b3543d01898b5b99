"""ZLPR losses: the original's numbers, and exact where the original saturates."""

import numpy as np
import pytest
from golden_layers import layer_case
from keras import ops
from score_gradients import dense_labels, finite_differences, value_and_gradient, zlpr

from bert4keras3.backend import (
    multilabel_categorical_crossentropy,
    sparse_multilabel_categorical_crossentropy,
)

DENSE = "multilabel_categorical_crossentropy"
SPARSE = "sparse_multilabel_categorical_crossentropy"


def close(found, wanted, tolerance=1e-5):
    found = np.asarray(ops.convert_to_numpy(found))
    np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance)


def dense(y_true):
    return lambda scores: multilabel_categorical_crossentropy(
        ops.convert_to_tensor(y_true), scores
    )


def sparse(y_true, mask_zero=False):
    return lambda scores: sparse_multilabel_categorical_crossentropy(
        ops.convert_to_tensor(y_true), scores, mask_zero
    )


def test_dense_recording():
    _, a = layer_case(DENSE)
    for labels, scores, loss, gradient in (
        ("y_hard", "y_pred", "loss_hard", None),
        ("y_soft", "y_pred", "loss_soft", None),
        ("y_hard", "y_pred_finite", None, "grad_sum_hard_finite"),
        ("y_soft", "y_pred_finite", None, "grad_sum_soft_finite"),
    ):
        found = value_and_gradient(dense(a[labels]), a[scores])
        assert all(np.isfinite(one).all() for one in found)
        for one, name in zip(found, (loss, gradient), strict=True):
            if name is not None:
                close(one, a[name])
    ones = np.ones_like(a["y_hard"])
    close(dense(ones * 0)(ops.convert_to_tensor(a["y_pred"])), a["loss_none"])
    close(dense(ones)(ops.convert_to_tensor(a["y_pred_finite"])), a["loss_all"])


def test_sparse_recording():
    """Where no label repeats: the original counts a repeated one twice."""
    _, a = layer_case(SPARSE)
    ids = a["y_true"]
    single = ids[..., 0] != ids[..., 1]
    assert 0 < (~single).sum() < single.sum()
    for labels, mask_zero, loss, gradient in (
        ("y_true", False, "loss", "grad_sum_plain"),
        ("y_true_zeros", False, "loss_zero_is_class", None),
        ("y_true_zeros", True, "loss_mask_zero", "grad_sum_mask_zero"),
    ):
        ids = a[labels]
        single = (ids[..., 0] != ids[..., 1]) | (mask_zero & (ids[..., 0] == 0))
        value, slope = value_and_gradient(sparse(ids, mask_zero), a["y_pred"])
        close(value[single], a[loss][single])
        if gradient:
            close(slope[single], a[gradient][single])
    floats = sparse(a["y_true"].astype("float32"))
    value, _ = value_and_gradient(floats, a["y_pred"])
    close(value, value_and_gradient(sparse(a["y_true"]), a["y_pred"])[0])


def cases():
    """(name, scores (N, C), ids (N, K)) with every difficult row."""
    random = np.random.RandomState(3)
    scores = random.uniform(-60, 60, (12, 9)).astype("float32")
    ids = random.randint(1, 9, (12, 4))
    yield "random", scores, ids
    yield "duplicates", scores, np.repeat(ids[:, :2], 2, axis=1)
    confident = np.full((12, 9), -60.0, "float32")
    np.put_along_axis(confident, ids, 60.0, axis=-1)
    yield "confident", confident, ids
    confident[:, 1:] += random.uniform(-3, 3, (12, 8))
    yield "nearly confident", confident, ids
    masked = scores.copy()
    masked[:, 5:] = -np.inf
    yield "masked gold", masked, ids
    yield "all masked", np.full((12, 9), -np.inf, "float32"), ids
    yield "all padding", scores, ids * 0


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("mask_zero", [False, True])
def test_sparse_equals_dense_and_the_definition(mask_zero, compiled):
    names, scores, ids = zip(*cases(), strict=True)
    scores, ids = np.concatenate(scores), np.concatenate(ids)
    labels = dense_labels(ids, scores.shape[-1])
    if mask_zero:
        scores[:, 0] = -np.inf  # the dense way of leaving class 0 out
    value, slope = value_and_gradient(sparse(ids, mask_zero), scores, compiled=compiled)
    other, other_slope = value_and_gradient(dense(labels), scores, compiled=compiled)
    wanted = zlpr(labels, scores)
    exact = finite_differences(lambda s: zlpr(labels, s), scores)
    assert np.isfinite(value).all()
    for i, name in enumerate(names):
        rows = slice(12 * i, 12 * (i + 1))
        for one in (value, other):
            np.testing.assert_allclose(
                one[rows], wanted[rows], rtol=1e-5, atol=1e-30, err_msg=name
            )
        for one in (slope, other_slope):
            np.testing.assert_allclose(one[rows], exact[rows], atol=1e-5, err_msg=name)


@pytest.mark.parametrize("mask_zero", [False, True])
def test_no_labels_at_all(mask_zero):
    scores = np.random.randn(2, 5).astype("float32")
    value, _ = value_and_gradient(sparse(np.zeros((2, 0), int), mask_zero), scores)
    scores = scores[:, int(mask_zero) :]
    close(value, zlpr(np.zeros(scores.shape), scores))


def test_masked_class_zero_has_no_gradient():
    scores = np.random.randn(3, 5).astype("float32")
    value, slope = value_and_gradient(sparse(np.array([[0, 2]] * 3), True), scores)
    moved = scores + np.eye(5, dtype="float32")[0] * 40
    close(value_and_gradient(sparse(np.array([[0, 2]] * 3), True), moved)[0], value)
    assert (slope[:, 0] == 0).all()


def test_soft_labels_against_finite_differences():
    scores = np.random.uniform(-5, 5, (6, 7)).astype("float32")
    labels = np.random.choice([0.0, 0.1, 0.5, 0.9, 1.0], (6, 7)).astype("float32")
    value, slope = value_and_gradient(dense(labels), scores)
    close(value, zlpr(labels, scores))
    close(slope, finite_differences(lambda s: zlpr(labels, s), scores))


def test_bad_labels_are_refused():
    scores = ops.zeros((2, 5))
    with pytest.raises(ValueError, match="from 0 to 4.*Received: 5"):
        sparse_multilabel_categorical_crossentropy(np.array([[1, 5], [0, 1]]), scores)
    with pytest.raises(ValueError, match="Received: -1"):
        sparse_multilabel_categorical_crossentropy(np.array([[1, -1], [0, 1]]), scores)
    with pytest.raises(ValueError, match="one shape"):
        multilabel_categorical_crossentropy(ops.zeros((2, 4)), scores)
    with pytest.raises(ValueError, match="one rank"):
        sparse_multilabel_categorical_crossentropy(np.array([1, 2]), scores)
