"""Integrated gradients: the shares add up, and are those of the integral."""

import keras
import numpy as np
import pytest
import tiny_models
from tiny_training import IDS, probabilities, tiny_classifier, weights_of

from bert4keras3.layers import Embedding, GlobalAveragePooling1D
from bert4keras3.training import IntegratedGradients, integrated_gradients


def classifier():
    model = tiny_classifier()
    outputs = keras.layers.Softmax()(model.outputs[0])
    return keras.Model(model.inputs, outputs)


@pytest.mark.parametrize("baseline", [None, 2])
def test_against_a_fine_sum(baseline):
    model = classifier()
    weights = weights_of(model)
    rows = weights[0][IDS]
    ways = rows - (0.0 if baseline is None else weights[0][baseline])
    target = np.array([2, 0, 1, 1])
    wanted = np.zeros_like(ways)
    for point in (np.arange(200) + 0.5) / 200:
        for index in np.ndindex(*ways.shape):
            move = np.zeros_like(ways)
            move[index] = 1e-5
            ends = [
                probabilities(weights, (point - 1) * ways + sign * move)[
                    index[0], target[index[0]]
                ]
                for sign in (1, -1)
            ]
            wanted[index] += (ends[0] - ends[1]) / 2e-5 / 200
    explain = IntegratedGradients(model, baseline=baseline, steps=16)
    np.testing.assert_allclose(explain(IDS, target), wanted * ways, atol=2e-6)


def test_a_transformer_and_the_likeliest_class():
    keras.utils.set_random_seed(0)
    bert = tiny_models.build()
    states = GlobalAveragePooling1D()(bert.model.output)
    outputs = keras.layers.Dense(3, activation="softmax")(states)
    model = keras.Model(bert.model.inputs, outputs)
    kernel = np.random.default_rng(0).normal(size=(16, 3))  # far from even answers
    model.layers[-1].set_weights([kernel, np.zeros(3)])
    x = [np.array([[1, 5, 7, 2], [1, 9, 2, 0]], "int32"), np.zeros((2, 4), "int32")]
    found = integrated_gradients(model, x, steps=24)
    assert found.dtype == "float32" and found.shape == (2, 4, 16)
    answers = model.predict(x, verbose=0)
    table = bert.model.get_layer("Embedding-Token").embeddings
    table.assign(np.zeros(table.shape, "float32"))
    without = model.predict(x, verbose=0)
    change = (answers - without)[np.arange(2), answers.argmax(-1)]
    assert np.abs(change).min() > 1e-3
    np.testing.assert_allclose(found.sum((1, 2)), change, atol=1e-4)


def test_several_lookups():
    ids = [keras.Input((None,), dtype="int32") for _ in range(2)]
    table = Embedding(6, 4, name="Embedding-Token")
    pool = keras.layers.GlobalAveragePooling1D()
    both = keras.layers.Concatenate()([pool(table(one)) for one in ids])
    model = keras.Model(ids, keras.layers.Dense(2)(both))
    x = [IDS, IDS[:, :2]]
    parts = integrated_gradients(model, x, target=1, steps=1)  # linear: one is enough
    assert {part.shape for part in parts} == {(4, 3, 4), (4, 2, 4)}
    total = sum(part.sum((1, 2)) for part in parts)
    bias = keras.ops.convert_to_numpy(model.layers[-1].bias)[1]
    wanted = model.predict(x, verbose=0)[:, 1] - bias
    np.testing.assert_allclose(total, wanted, atol=1e-6)


def test_what_it_cannot_do_is_an_error():
    model = classifier()
    with pytest.raises(ValueError, match="no embedding layer 'words'"):
        IntegratedGradients(model, layer="words")
    with pytest.raises(ValueError, match="one output"):
        IntegratedGradients(keras.Model(model.inputs, model.layers[1].output))
    with pytest.raises(ValueError, match="steps must be"):
        IntegratedGradients(model, steps=0)
    with pytest.raises(ValueError, match="one class for each of the 4 rows"):
        integrated_gradients(model, IDS, target=[1, 2])
