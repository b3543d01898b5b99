"""`with_methods` under fit: a plain step with none, FGM and PGD against numpy."""

import keras
import numpy as np
import pytest
from tiny_training import (
    IDS,
    LABELS,
    assert_near,
    descended,
    fitted,
    loss_and_gradients,
    tiny_classifier,
    weights_of,
)

from bert4keras3.training import FGM, PGD, Method, with_methods


def plain(weights):
    return loss_and_gradients(weights)[1]


def attack(weights, shift):
    return plain([weights[0] + shift, *weights[1:]])


def test_numpy_twin_has_the_right_gradients():
    weights = weights_of(tiny_classifier())
    for place, grad in enumerate(plain(weights)):
        for index in [(0,) * grad.ndim, (-1,) * grad.ndim]:
            moved = [w.copy() for w in weights]
            moved[place][index] += 1e-6
            change = loss_and_gradients(moved)[0] - loss_and_gradients(weights)[0]
            assert change / 1e-6 == pytest.approx(grad[index], rel=1e-3, abs=1e-6)


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_without_methods_it_is_keras(dropout):
    found = []
    for wrapped in (True, False):
        keras.utils.set_random_seed(1)
        model = tiny_classifier(dropout)
        found.append(
            fitted(with_methods(model) if wrapped else model, optimizer="adam")
        )
    assert_near(found[0][0], found[1][0])
    assert found[0][1].keys() == found[1][1].keys()
    for name, values in found[0][1].items():
        np.testing.assert_allclose(values, found[1][1][name], rtol=1e-5)


def test_a_token_that_occurs_twice_moves_once():
    # Keras's Adam on tensorflow squares sparse gradients of repeated ids one by one.
    model = tiny_classifier()
    start = weights_of(model)[0]
    moved = fitted(model, steps=1, optimizer=keras.optimizers.Adam(0.1))[0][0] - start
    np.testing.assert_allclose(np.abs(moved), 0.1, rtol=1e-2)


@pytest.mark.parametrize("mode", ["add", "replace"])
def test_fgm(mode):
    def gradients(weights):
        clean = plain(weights)
        moved = attack(weights, 0.5 * clean[0] / np.linalg.norm(clean[0]))
        if mode == "replace":
            return moved
        return [a + b for a, b in zip(clean, moved, strict=True)]

    model = tiny_classifier()
    start = weights_of(model)
    found, history = fitted(with_methods(model, FGM(0.5, mode=mode)))
    assert_near(found, descended(start, gradients))
    assert_near(weights_of(model), found)
    assert history["loss"][0] == pytest.approx(loss_and_gradients(start)[0], rel=1e-5)


def test_pgd():
    def gradients(weights):
        clean = grads = plain(weights)
        shift = np.zeros_like(weights[0])
        for _ in range(3):
            shift += 0.4 * grads[0] / np.linalg.norm(grads[0])
            shift *= min(1.0, 0.7 / np.linalg.norm(shift))
            grads = attack(weights, shift)
        return [a + b for a, b in zip(clean, grads, strict=True)]

    model = tiny_classifier()
    start = weights_of(model)
    found, _ = fitted(with_methods(model, PGD(3, alpha=0.4, epsilon=0.7)))
    assert_near(found, descended(start, gradients))


def test_methods_go_together_and_losses_in_the_graph_count():
    class Twice(Method):
        def loss(self, step, values, inner):
            return 2.0 * inner(values)

    model = tiny_classifier(kernel_regularizer=keras.regularizers.L2(0.1))

    def gradients(weights):
        grads = plain(weights)
        grads[1] = grads[1] + 0.2 * weights[1]
        return [4.0 * grad for grad in grads]

    start = weights_of(model)
    found, _ = fitted(with_methods(model, Twice(), Twice()))
    assert_near(found, descended(start, gradients))


def test_loss_scaling_cancels():
    scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1), 2.0**10)
    found = []
    for optimizer in (scaled, keras.optimizers.SGD(0.1)):
        model = with_methods(tiny_classifier(), FGM(0.5))
        found.append(fitted(model, optimizer=optimizer)[0])
    assert_near(*found)


def test_saved_weights_are_those_of_the_model(tmp_path):
    model = tiny_classifier()
    trained = with_methods(model, FGM())
    fitted(trained)
    trained.save(tmp_path / "x.keras")
    whole, other = keras.models.load_model(tmp_path / "x.keras"), tiny_classifier(1)
    trained.save_weights(tmp_path / "x.weights.h5")
    other.load_weights(tmp_path / "x.weights.h5")
    outputs = [one.predict(IDS, verbose=0) for one in (model, trained, other, whole)]
    np.testing.assert_allclose(outputs[:3], outputs[1:], rtol=1e-5)
    assert trained.evaluate(IDS, LABELS, verbose=0)


def test_what_it_cannot_do_is_an_error():
    model = tiny_classifier()
    with pytest.raises(ValueError, match="no embedding layer 'Word'.*Embedding-Token"):
        with_methods(model, FGM(layer="Word"))
    with pytest.raises(TypeError, match="takes training methods"):
        with_methods(model, "FGM")
    with pytest.raises(TypeError, match="functional model"):
        with_methods(keras.Sequential(), FGM())
    with pytest.raises(ValueError, match="mode must be"):
        FGM(mode="sum")
    with pytest.raises(ValueError, match="epsilon must be"):
        FGM(epsilon=0)
    with pytest.raises(ValueError, match="whole number of steps"):
        PGD(steps=0)
    frozen = tiny_classifier()
    frozen.get_layer("Embedding-Token").trainable = False
    with pytest.raises(ValueError, match="no trainable variable"):
        fitted(with_methods(frozen, FGM()))
