"""Labels and scores that are wrong are refused or give NaN, never a good loss."""

import keras
import numpy as np
import pytest
from keras import ops

from bert4keras3 import losses, metrics

SCORES = np.array([[0.5, -1.0, 2.0, 0.0]], "float32")
MATRIX = np.zeros((1, 1, 4, 4), "float32")


@pytest.mark.parametrize("bad", [1.5, np.nan, 4, -1])
def test_labels_are_whole_numbers_of_classes(bad):
    ids, pairs = np.array([[1, bad]]), np.array([[[[1, 2], [bad, 2]]]])
    for call, y, scores in [
        (losses.sparse_multilabel_categorical_crossentropy, ids, SCORES),
        (losses.sparse_global_pointer_crossentropy, pairs, MATRIX),
        (metrics.MultilabelF1(sparse=True), ids, SCORES),
        (metrics.SpanF1(), pairs, MATRIX),
    ]:
        with pytest.raises(ValueError, match="Sparse labels must be"):
            call(y, scores)


@pytest.mark.skipif(keras.config.backend() == "torch", reason="nothing is compiled")
def test_compiled_code_gives_nan():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4)])
    model.compile("sgd", losses.SparseMultilabelCategoricalCrossentropy())
    assert np.isnan(model.evaluate(SCORES, np.array([[1, 1.5]]), verbose=0))
    assert np.isfinite(model.evaluate(SCORES, np.array([[1.0, 2.0]]), verbose=0))


def test_broken_scores_are_loud():
    """Minus infinity is a mask; NaN comes from a broken model."""
    for place in range(4):
        scores = SCORES.copy()
        scores[0, place] = np.nan
        ids, labels = np.array([[1, 2]]), np.array([[0.0, 1.0, 1.0, 0.0]])
        for found in (
            losses.multilabel_categorical_crossentropy(labels, scores),
            losses.sparse_multilabel_categorical_crossentropy(ids, scores),
        ):
            assert np.isnan(ops.convert_to_numpy(found)).all()
