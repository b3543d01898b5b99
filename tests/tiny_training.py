"""A tiny classifier of token ids, its numpy twin, and steps under `fit`."""

import keras
import numpy as np

from bert4keras3.layers import Embedding, GlobalAveragePooling1D

IDS = np.array([[1, 2, 3], [4, 2, 0], [5, 1, 1], [3, 3, 2]], "int32")
LABELS = np.array([0, 1, 2, 1], "int32")
RATE = 0.1


def tiny_classifier(dropout=0.0, seed=0, between=None, **hidden):
    """Mean of embeddings (6, 4), tanh layer of 5, logits of 3 classes.

    between: a layer after the mean.
    """
    ids = keras.Input((None,), dtype="int32", name="Input-Token")
    x = Embedding(6, 4, name="Embedding-Token")(ids)
    x = GlobalAveragePooling1D()(x)
    x = keras.layers.Dropout(dropout)(x) if dropout else x
    x = x if between is None else between(x)
    x = keras.layers.Dense(5, activation="tanh", name="hidden", **hidden)(x)
    model = keras.Model(ids, keras.layers.Dense(3, name="logits")(x))
    rng = np.random.default_rng(seed)
    for weight in model.trainable_weights:
        weight.assign(rng.normal(0, 0.7, weight.shape))
    return model


def weights_of(model):
    return [np.asarray(w, "float64") for w in model.get_weights()]


def probabilities(weights, shifts=0.0, scale=1.0, ids=IDS):
    """The classes' probabilities in float64; scale: of the mean's features."""
    table, w, b, v, c = weights
    mean = scale * (table[ids] + shifts).mean(1)
    logits = np.tanh(mean @ w + b) @ v + c
    exp = np.exp(logits - logits.max(-1, keepdims=True))
    return exp / exp.sum(-1, keepdims=True)


def differences(function, weights, step=1e-5):
    """The gradient of a number by central differences, all weights one by one."""
    grads = [np.zeros_like(one) for one in weights]
    for place, grad in enumerate(grads):
        for index in np.ndindex(*grad.shape):
            ends = []
            for sign in (1, -1):
                moved = [one.copy() for one in weights]
                moved[place][index] += sign * step
                ends.append(function(moved))
            grad[index] = (ends[0] - ends[1]) / (2 * step)
    return grads


def loss_and_gradients(weights, ids=IDS, labels=LABELS, shifts=0.0):
    """The mean cross entropy in float64, its gradients, and those at the lookups."""
    table, w, b, v, c = weights
    rows = table[ids] + shifts
    mean = rows.mean(1)
    hidden = np.tanh(mean @ w + b)
    logits = hidden @ v + c
    shifted = np.exp(logits - logits.max(-1, keepdims=True))
    p = shifted / shifted.sum(-1, keepdims=True)
    picked = np.arange(len(labels)), labels
    loss = -np.log(p[picked]).mean()
    d = p.copy()
    d[picked] -= 1.0
    d /= len(labels)
    dh = d @ v.T * (1 - hidden**2)
    lookups = np.repeat((dh @ w.T / ids.shape[1])[:, None], ids.shape[1], axis=1)
    dtable = np.zeros_like(table)
    np.add.at(dtable, ids, lookups)
    grads = [dtable, mean.T @ dh, dh.sum(0), hidden.T @ d, d.sum(0)]
    return loss, grads, lookups


def fitted(model, steps=3, **compiled):
    """Weights after `steps` of plain gradient descent under `fit`."""
    options = {"optimizer": keras.optimizers.SGD(RATE), "metrics": ["accuracy"]}
    options["loss"] = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(**{**options, **compiled})
    history = model.fit(IDS, LABELS, batch_size=4, epochs=steps, verbose=0)
    return weights_of(model), history.history


def descended(weights, gradients, steps=3):
    """Weights after `steps` of descent along `gradients(weights)`, in numpy."""
    for _ in range(steps):
        grads = gradients(weights)
        weights = [w - RATE * g for w, g in zip(weights, grads, strict=True)]
    return weights


def assert_near(found, wanted, tolerance=2e-6):
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)
