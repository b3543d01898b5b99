"""The losses of chains as Loss objects and as plain functions."""

import keras
import numpy as np
import pytest
from keras import ops

from bert4keras3.layers import ConditionalRandomField, MaximumEntropyMarkovModel
from bert4keras3.losses import ChainCrossentropy, crf_loss, memm_loss

RNG = np.random.default_rng(0)
SCORES = RNG.normal(size=(3, 5, 4)).astype("float32")
SCORES[1, 3:] = -np.inf
LABELS = RNG.integers(0, 4, (3, 5)).astype("int32")
PLAIN = (crf_loss, memm_loss)
LAYERS = (ConditionalRandomField, MaximumEntropyMarkovModel)


def test_one_label_is_refused():
    with pytest.raises(ValueError, match="at least 2"):
        ConditionalRandomField().build((None, None, 1))


def built(layer):
    layer = layer(lr_multiplier=10)
    layer.build((None, None, 4))
    return layer


def numbers(x):
    return ops.convert_to_numpy(x)


@pytest.mark.parametrize("layer, function", [*zip(LAYERS, PLAIN, strict=True)])
def test_the_plain_function_is_the_layers_loss(layer, function):
    layer = built(layer)
    wanted = layer.sparse_loss(LABELS, ops.convert_to_tensor(SCORES))
    found = function(LABELS, SCORES, numbers(layer.trans))
    np.testing.assert_allclose(numbers(found), numbers(wanted), rtol=1e-6)


def test_soft_labels():
    layer, soft = built(ConditionalRandomField), np.eye(4, dtype="float32")[LABELS]
    hard = crf_loss(LABELS, SCORES, numbers(layer.trans))
    found = crf_loss(soft, SCORES, numbers(layer.trans))
    np.testing.assert_allclose(numbers(found), numbers(hard), rtol=1e-6)
    with pytest.raises(ValueError, match="label ids"):
        memm_loss(soft, SCORES, numbers(layer.trans))


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("dense", [False, True])
def test_a_model_compiled_with_the_object_is_saved(layer, dense, tmp_path):
    inputs = keras.Input((5,), dtype="int32")
    x = keras.layers.Embedding(10, 4)(inputs)
    head = layer(name="chain_head")
    model = keras.Model(inputs, head(x))
    model.compile("adam", ChainCrossentropy(head, dense=dense))
    labels = np.eye(4, dtype="float32")[LABELS] if dense else LABELS
    ids = RNG.integers(0, 10, (3, 5))
    before = model.evaluate(ids, labels, verbose=0)
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    assert again.evaluate(ids, labels, verbose=0) == pytest.approx(before, rel=1e-5)
    assert again.loss.layer is again.get_layer("chain_head")
    again.fit(ids, labels, verbose=0)


def test_another_layer_is_refused():
    with pytest.raises(TypeError, match="ConditionalRandomField"):
        ChainCrossentropy(keras.layers.Dense(4))
