"""A loss and its gradient in the scores, eager and compiled, on the backend in use."""

import keras
import numpy as np


def value_and_gradient(loss, scores, *, compiled=True):
    """loss(tensor of scores) and d sum(loss) / d scores, both numpy."""
    found = globals()[f"_{keras.config.backend()}"](loss, scores, compiled)
    return [np.asarray(keras.ops.convert_to_numpy(one)) for one in found]


def _jax(loss, scores, compiled):
    import jax

    def total(x):
        value = loss(x)
        return value.sum(), value

    run = jax.grad(total, has_aux=True)
    gradient, value = (jax.jit(run) if compiled else run)(scores)
    return value, gradient


def _tensorflow(loss, scores, compiled):
    import tensorflow as tf

    def run(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = loss(x)
        return value, tape.gradient(value, x)

    return (tf.function(run) if compiled else run)(tf.constant(scores))


def _torch(loss, scores, compiled):
    import torch

    x = torch.tensor(scores, requires_grad=True)
    value = loss(x)
    return value.detach(), torch.autograd.grad(value.sum(), x)[0]


def finite_differences(loss, scores, step=1e-5):
    """d sum(loss) / d scores of a float64 numpy function; -inf entries count 0."""
    gradient = np.zeros(scores.shape, "float64")
    for place in np.argwhere(np.isfinite(scores)):
        moved = scores.astype("float64")
        moved[tuple(place)] += step
        up = loss(moved).sum()
        moved[tuple(place)] -= 2 * step
        gradient[tuple(place)] = (up - loss(moved).sum()) / (2 * step)
    return gradient


def zlpr(y_true, scores):
    """The loss by its definition in float64: (..., C) and (..., C) -> (...)."""
    y, s = y_true.astype("float64"), scores.astype("float64")
    with np.errstate(divide="ignore"):
        kept = s > -np.inf
        negative = np.where(kept, s + np.log(1 - y), -np.inf)
        positive = np.where(kept, np.log(y) - np.where(kept, s, 0), -np.inf)
    zero = np.zeros((*s.shape[:-1], 1))
    return np.logaddexp.reduce(np.concatenate([negative, zero], -1), axis=-1) + (
        np.logaddexp.reduce(np.concatenate([positive, zero], -1), axis=-1)
    )


def dense_labels(ids, classes):
    """Class numbers (..., K) as 0/1 labels (..., classes)."""
    labels = np.zeros((*ids.shape[:-1], classes), "float32")
    np.put_along_axis(labels, ids.astype(int), 1.0, axis=-1)
    return labels
