"""Virtual adversaries and R-Drop under fit, against numpy."""

import keras
import numpy as np
import pytest
from tiny_training import (
    IDS,
    LABELS,
    assert_near,
    descended,
    differences,
    fitted,
    loss_and_gradients,
    probabilities,
    tiny_classifier,
    weights_of,
)

from bert4keras3.backend import losses
from bert4keras3.training import RDrop, VirtualAdversarial, with_methods
from bert4keras3.training.penalties import random_noise


def kl(p, q):
    return np.sum(p * np.log(p / q), axis=-1).mean()


def noise_at(count, x, epsilon, xi, clean, weights):
    noise = random_noise(keras.ops.convert_to_tensor(x, "float32"), count, 0)
    noise = np.asarray(keras.ops.convert_to_numpy(noise), "float64")
    assert abs(noise.mean()) < 0.2 and 0.4 < noise.std() < 0.7
    for _ in range(2):
        noise = xi * noise / np.linalg.norm(noise, axis=-1, keepdims=True)
        (noise,) = differences(
            lambda r: kl(clean, probabilities(weights, r[0])), [noise]
        )
    return epsilon * noise / np.linalg.norm(noise, axis=-1, keepdims=True)


@pytest.mark.parametrize("symmetric", [False, True])
def test_virtual_adversarial(symmetric):
    labelled = np.array([1.0, 0.0, 1.0, 0.0], "float32")
    model = tiny_classifier()
    weights = weights_of(model)
    method = VirtualAdversarial(
        0.6, 2.0, xi=0.2, iterations=2, from_logits=True, symmetric=symmetric
    )
    trained = with_methods(model, method)
    loss = keras.losses.SparseCategoricalCrossentropy(
        from_logits=True, reduction="mean_with_sample_weight"
    )
    trained.compile(keras.optimizers.SGD(0.1), loss)
    options = {"batch_size": 4, "epochs": 2, "shuffle": False, "verbose": 0}
    trained.fit(IDS, LABELS, sample_weight=labelled, **options)
    for count in range(2):
        clean, shape = probabilities(weights), weights[0][IDS]
        worst = noise_at(count, shape, 0.6, 0.2, clean, weights)

        def total(w, clean=clean, worst=worst):
            other = probabilities(w, worst)
            apart = kl(clean, other) + (kl(other, clean) if symmetric else 0.0)
            return loss_and_gradients(w, IDS[::2], LABELS[::2])[0] + 2.0 * apart

        grads = differences(total, weights)
        weights = [w - 0.1 * g for w, g in zip(weights, grads, strict=True)]
    assert_near(weights_of(model), weights, 2e-4)  # the direction is float32's


class TakesTurns(keras.layers.Layer):
    """A dropout of one's own: the first features and the others in turn."""

    def build(self, shape):
        self.count = self.add_weight(
            shape=(), dtype="int32", initializer="zeros", trainable=False
        )

    def call(self, x, training=False):
        if not training:
            return x
        even = self.count % 2 == 0
        self.count.assign_add(1)
        first = keras.ops.arange(x.shape[-1]) < 2
        return 2.0 * keras.ops.where(keras.ops.equal(first, even), x, 0.0)


def test_rdrop():
    model = tiny_classifier(between=TakesTurns())
    start = [
        keras.ops.convert_to_numpy(w).astype("float64") for w in model.trainable_weights
    ]
    fitted(with_methods(model, RDrop(3.0, from_logits=True)))
    masks = 2.0 * np.array([[1, 1, 0, 0], [0, 0, 1, 1]])

    def total(weights):
        p, q = (probabilities(weights, scale=mask) for mask in masks)
        rows = range(len(LABELS))
        losses = [-np.log(one[rows, LABELS]).mean() for one in (p, q)]
        return sum(losses) / 2 + 0.75 * (kl(p, q) + kl(q, p))

    wanted = descended(start, lambda w: differences(total, w))
    found = [keras.ops.convert_to_numpy(w) for w in model.trainable_weights]
    assert_near(found, wanted, 1e-5)
    assert int(model.non_trainable_weights[0].numpy()) == 6  # two passes a step


def test_divergence():
    p, q = np.array([[0.5, 0.5], [0.0, 1.0]]), np.array([[0.9, 0.1], [0.5, 0.5]])
    found = keras.ops.convert_to_numpy(losses.kl_divergence(p, q))
    np.testing.assert_allclose(found, [np.log(5 / 3), np.log(2)], rtol=1e-5)
    with pytest.raises(ValueError, match="two or more classes"):
        losses.kl_divergence(p[:, :1], q[:, :1])
