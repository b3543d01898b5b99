"""Losses of pointer matrices: bert4keras's recipe, index pairs, gradients, errors."""

import keras
import numpy as np
import pytest
from keras import ops
from score_gradients import finite_differences, value_and_gradient, zlpr

from bert4keras3 import losses
from bert4keras3.backend import sparse_multilabel_categorical_crossentropy

B, H, T = 3, 4, 6


def pairs_and_matrix(fill=3):
    """Random pairs i <= j with repeats and filler, and their matrix of 0 and 1."""
    pairs = np.sort(np.random.randint(1, T, (B, H, 5, 2)), axis=-1)
    pairs[:, :, fill:] = 0
    pairs[:, :, 1] = pairs[:, :, 0]
    pairs[0, 0] = 0
    matrix = np.zeros((B, H, T, T), "float32")
    b, h, k = np.indices(pairs.shape[:3])
    matrix[b, h, pairs[..., 0], pairs[..., 1]] = 1.0
    matrix[:, :, 0, 0] = 0.0
    return pairs.astype("int32"), matrix


def scores_of(scale=60.0):
    """Uniform scores, -inf below the diagonal, in a masked column and at (0, 0)."""
    scores = np.random.uniform(-scale, scale, (B, H, T, T)).astype("float32")
    scores[..., ~np.triu(np.ones((T, T), bool))] = -np.inf
    scores[1, :, :, 4:] = -np.inf
    scores[:, :, 0, 0] = -np.inf
    return scores


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("head_reduction", ["sum", "mean"])
def test_pairs_equal_matrices_equal_the_definition(head_reduction, compiled):
    pairs, matrix = pairs_and_matrix()
    scores = scores_of()
    scores[2] = np.where(np.isfinite(scores[2]), 120 * matrix[2] - 60, -np.inf)

    def exact(scores):
        each = zlpr(matrix.reshape(B, H, -1), scores.reshape(B, H, -1))
        return each.sum(1) if head_reduction == "sum" else each.mean(1)

    def sparse(scores):
        labels = ops.convert_to_tensor(pairs.astype("float32"))
        return losses.sparse_global_pointer_crossentropy(labels, scores, head_reduction)

    def dense(scores):
        labels = ops.convert_to_tensor(matrix)
        return losses.global_pointer_crossentropy(labels, scores, head_reduction)

    slopes = finite_differences(exact, scores)
    for loss in (sparse, dense):
        value, slope = value_and_gradient(loss, scores, compiled=compiled)
        np.testing.assert_allclose(value, exact(scores), rtol=1e-5)
        np.testing.assert_allclose(slope, slopes, atol=1e-5)


def test_bert4keras_recipes():
    """Pairs become flat numbers with mask_zero, so cell (0, 0) takes no part."""
    pairs, matrix = pairs_and_matrix()
    scores = np.random.randn(B, H, T, T).astype("float32")
    flat = pairs[..., 0] * T + pairs[..., 1]
    each = sparse_multilabel_categorical_crossentropy(
        flat, ops.reshape(scores, (B, H, T * T)), mask_zero=True
    )
    found = losses.SparseGlobalPointerCrossentropy()(pairs, scores)
    np.testing.assert_allclose(float(found), float(ops.mean(ops.sum(each, 1))), 1e-6)
    each = zlpr(matrix.reshape(B * H, -1), scores.reshape(B * H, -1))
    found = losses.GlobalPointerCrossentropy(head_reduction="mean")(matrix, scores)
    np.testing.assert_allclose(float(found), each.mean(), 1e-6)


def test_all_masked_rows_give_zero():
    scores = np.full((B, H, T, T), -np.inf, "float32")
    for loss, labels in zip(
        (losses.sparse_global_pointer_crossentropy, losses.global_pointer_crossentropy),
        pairs_and_matrix(),
        strict=True,
    ):
        labels = ops.convert_to_tensor(labels)
        value, slope = value_and_gradient(lambda s, f=loss, y=labels: f(y, s), scores)
        assert (value == 0).all()
        assert (slope == 0).all()


def test_indices_of_long_texts_survive_bfloat16():
    """257 is no bfloat16: rounded indices would train the wrong spans."""
    floatx = keras.config.floatx()
    keras.config.set_floatx("bfloat16")
    try:
        scores = np.full((1, 1, 300, 300), -5.0, "float32")
        scores[0, 0, 257, 259] = 5.0
        labels = np.array([[[[257, 259]]]])
        loss = float(losses.SparseGlobalPointerCrossentropy()(labels, scores))
    finally:
        keras.config.set_floatx(floatx)
    rest = np.log1p((300**2 - 2) * np.exp(-5.0)) + np.log1p(np.exp(-5.0))
    assert abs(loss - rest) < 1e-3


def test_pairs_outside_the_matrix():
    scores = np.zeros((1, 1, T, T), "float32")
    for pair in ([1, T], [T, T], [-1, 2]):
        labels = np.array([[[pair]]], "int32")
        with pytest.raises(ValueError, match=rf"\(i, j\) below the length {T}"):
            losses.sparse_global_pointer_crossentropy(labels, scores)


@pytest.mark.skipif(keras.config.backend() == "torch", reason="torch is never compiled")
def test_a_compiled_pair_outside_gives_nan():
    """(1, T) as a flat number would silently train the span (2, 0)."""
    scores = np.zeros((2, 1, T, T), "float32")

    def loss(labels):
        labels = ops.cast(labels, "int32")
        scored = ops.convert_to_tensor(scores)
        return losses.sparse_global_pointer_crossentropy(labels, scored)

    labels = np.array([[[[1, T]]], [[[1, 2]]]], "float32")
    if keras.config.backend() == "jax":
        import jax

        value = jax.jit(loss)(labels)
    else:
        import tensorflow as tf

        value = tf.function(loss)(tf.constant(labels))
    assert np.isnan(np.asarray(value)).tolist() == [True, False]


def test_bad_shapes_and_reductions_are_refused():
    scores = np.zeros((1, 1, T, T), "float32")
    with pytest.raises(ValueError, match="index pairs"):
        losses.sparse_global_pointer_crossentropy(scores, scores)
    with pytest.raises(ValueError, match="1 heads.*a list of pairs for each"):
        losses.sparse_global_pointer_crossentropy(np.zeros((1, 2, 3, 2)), scores)
    with pytest.raises(ValueError, match=r"scores \(B, H, T, T\)"):
        losses.global_pointer_crossentropy(scores[0], scores[0])
    for name in ("GlobalPointerCrossentropy", "SparseGlobalPointerCrossentropy"):
        with pytest.raises(ValueError, match="head_reduction.*'max'"):
            getattr(losses, name)(head_reduction="max")
