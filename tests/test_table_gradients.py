"""Gradients of tables, of which one row may stand for thousands of tokens."""

import keras
import numpy as np
import pytest
from gradients import gradients
from keras import ops

from bert4keras3.layers import (
    Embedding,
    PositionEmbedding,
    RelativePositionEmbedding,
    RelativePositionEmbeddingT5,
)
from bert4keras3.layers.disentangled import DistanceEmbedding

RNG = np.random.default_rng(0)
IDS = RNG.integers(0, 4, (16, 256)).astype("int32")
STATES = np.zeros((1, 128, 1), "float32")


def tokens():
    ids = keras.Input((256,), dtype="int32")
    return [ids], Embedding(4, 8)(ids), [IDS]


def positions():
    states, ids = keras.Input((256, 1)), keras.Input((256,), dtype="int32")
    layer = PositionEmbedding(4, 8, merge_mode="zero", custom_position_ids=True)
    return [states, ids], layer([states, ids]), [np.zeros((16, 256, 1)), IDS]


def states_through(layer, pair=True):
    x = keras.Input((128, 1))
    return [x], layer([x, x] if pair else x), [STATES]


def vectors_of_distances():
    return states_through(RelativePositionEmbedding(9, 8, "glorot_uniform"))


def scores_of_distances():
    return states_through(RelativePositionEmbeddingT5(8, 4, 16))


def scores_heads_first():
    return states_through(RelativePositionEmbeddingT5(8, 4, 16, heads_first=True))


def bucketed_distances():
    return states_through(DistanceEmbedding(8, 4, 16), pair=False)


@pytest.mark.parametrize(
    "make",
    [
        tokens, positions, vectors_of_distances, scores_of_distances,
        scores_heads_first, bucketed_distances,
    ],
)
def test_half_precision_adds_up_in_full(make):
    """Sums of thousands stop growing in bfloat16: wrong by a tenth, not by 0.4%."""
    found = []
    for policy in ("float32", "mixed_bfloat16"):
        keras.config.set_dtype_policy(policy)
        try:
            inputs, output, arrays = make()
        finally:
            keras.config.set_dtype_policy("float32")
        model = keras.Model(inputs, output)
        shape = model(arrays).shape
        weights = np.random.default_rng(1).normal(1.0, size=shape).astype("float32")
        weights = ops.convert_to_tensor(weights)

        def loss(y, weights=weights):
            return ops.sum(ops.cast(y, "float32") * weights)

        found += gradients(model, loss, arrays)
    exact, rounded = found
    assert rounded.dtype == exact.dtype == "float32"
    np.testing.assert_allclose(rounded, exact, atol=0.002 * np.abs(exact).max())
