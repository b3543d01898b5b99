"""Padding masks reach the heads that users put on a model."""

import keras
import numpy as np
import pytest
from keras import ops
from probes import MaskProbe
from tiny_models import FAMILIES, batch, shared

from bert4keras3 import layers


def padded(inputs, more):
    return [np.pad(one, [(0, 0), (0, more)]) for one in inputs]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_custom_layer_receives_the_mask(family):
    t, inputs = shared(family), batch()
    model = keras.Model(t.model.inputs, MaskProbe()(t.model.output))
    found = ops.convert_to_numpy(model(inputs))
    np.testing.assert_array_equal(found == 1, inputs[0] != 0)
    assert set(np.unique(found)) == {0.0, 1.0}


POOLINGS = {
    "ours average": layers.GlobalAveragePooling1D,
    "ours maximum": layers.GlobalMaxPooling1D,
    "keras average": keras.layers.GlobalAveragePooling1D,
    "keras lstm": lambda: keras.layers.LSTM(4),
}


@pytest.mark.parametrize(
    "family, pooling",
    [("bert", one) for one in POOLINGS]
    + [(family, "ours average") for family in FAMILIES[1:]],
)
def test_padding_never_reaches_a_pooled_head(family, pooling):
    t, inputs = shared(family), batch()
    x = keras.layers.Dropout(0.1)(t.model.output)
    x = POOLINGS[pooling]()(keras.layers.Dense(4)(x))
    model = keras.Model(t.model.inputs, x)
    short = ops.convert_to_numpy(model(inputs))
    long = ops.convert_to_numpy(model(padded(inputs, 6)))
    np.testing.assert_allclose(short, long, atol=2e-5)
    assert np.isfinite(short).all()


def test_average_is_over_real_tokens():
    t, inputs = shared(), batch()
    states = ops.convert_to_numpy(t.model(inputs))
    x = layers.GlobalAveragePooling1D()(t.model.output)
    found = ops.convert_to_numpy(keras.Model(t.model.inputs, x)(inputs))
    for row, real in enumerate(inputs[0] != 0):
        expected = states[row][real].mean(axis=0)
        np.testing.assert_allclose(found[row], expected, atol=1e-5)


def test_first_token_is_never_masked():
    """Decoders may start with id 0; an all-padding row must stay finite, too."""
    t = shared()
    ids = np.zeros((2, 4), "int32")
    ids[1, 2] = 7
    model = keras.Model(t.model.inputs, [t.model.output, MaskProbe()(t.model.output)])
    states, mask = (ops.convert_to_numpy(x) for x in model([ids, 0 * ids]))
    assert np.isfinite(states).all()
    np.testing.assert_array_equal(mask, [[1, 0, 0, 0], [1, 0, 1, 0]])


def test_keras_add_would_lose_the_mask():
    """Why `layers.Add` exists: Keras's own drops a mask unless all inputs have one."""
    x, y = keras.Input((None, 4)), keras.Input((None,), dtype="int32")
    embedded = layers.Embedding(5, 4, mask_zero=True)(y)
    probe = MaskProbe()
    theirs = keras.Model([x, y], probe(keras.layers.Add()([embedded, x])))
    ours = keras.Model([x, y], probe(layers.Add()([embedded, x])))
    inputs = [np.ones((1, 3, 4), "float32"), np.array([[1, 2, 0]], "int32")]
    assert set(ops.convert_to_numpy(theirs(inputs)).ravel()) == {-1.0}
    np.testing.assert_array_equal(ops.convert_to_numpy(ours(inputs)), [[1, 1, 0]])


def test_concatenated_parts_keep_their_masks():
    y = keras.Input((None,), dtype="int32")
    x = keras.Input((None, 4))
    embedded = layers.Embedding(5, 4, mask_zero=True)(y)
    model = keras.Model([x, y], MaskProbe()(layers.Concatenate1D()([x, embedded])))
    inputs = [np.ones((1, 2, 4), "float32"), np.array([[1, 2, 0]], "int32")]
    found = ops.convert_to_numpy(model(inputs))
    np.testing.assert_array_equal(found, [[1, 1, 1, 1, 0]])
