"""Balance of several tasks by their gradients, under fit, against numpy."""

import keras
import numpy as np
import pytest
from tiny_training import (
    IDS,
    LABELS,
    assert_near,
    descended,
    loss_and_gradients,
    tiny_classifier,
    weights_of,
)

from bert4keras3.layers import Loss
from bert4keras3.training import FGM, GradientPenalty, TaskBalance, with_methods
from bert4keras3.training import tasks as balance

OTHERS = np.array([2, 0, 0, 1], "int32")
ROWS = np.array([1.0, 0.0, 2.0, 1.0], "float32")  # weights of the second task
SHARED = "Embedding-Token|hidden"


def two_heads(names=("main", "other"), **hidden):
    """The tiny classifier with two outputs: weights are trunk (3), head, head."""
    model = tiny_classifier(**hidden)
    states = model.layers[-2].output
    heads = [keras.layers.Dense(3, name=name)(states) for name in names]
    model = keras.Model(model.inputs, heads)
    rng = np.random.default_rng(1)
    model.set_weights([rng.normal(0, 0.7, w.shape) for w in model.get_weights()])
    return model


def task_gradients(weights):
    """Of both losses, zeros at the other's head."""
    trunk, heads = weights[:3], (weights[3:5], weights[5:])
    one = loss_and_gradients([*trunk, *heads[0]], IDS, LABELS)[1]
    rows = [  # a weighted mean of rows, each of which is a batch of its own
        [
            ROWS[i] / 4 * g
            for g in loss_and_gradients([*trunk, *heads[1]], ids, labels)[1]
        ]
        for i, (ids, labels) in enumerate(
            zip(np.split(IDS, 4), np.split(OTHERS, 4), strict=True)
        )
    ]
    other = [3.0 * sum(column) for column in zip(*rows, strict=True)]
    zeros = [np.zeros_like(w) for w in heads[0]]
    return [[*one, *zeros], [*other[:3], *zeros, *other[3:]]]


def trained(model, *methods, steps=3, **compiled):
    model = with_methods(model, *methods)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    options = {"loss": [loss, loss], "loss_weights": [1.0, 3.0]}
    model.compile(keras.optimizers.SGD(0.1), **{**options, **compiled})
    y, weights = [LABELS, OTHERS], [np.ones(4, "float32"), ROWS]
    history = model.fit(
        IDS, y, sample_weight=weights, batch_size=4, epochs=steps, verbose=0
    )
    return weights_of(model), history.history


def wanted_weights(mode, gram):
    if mode == "inverse_norm":
        norms = np.sqrt(np.diag(gram))
        return norms.mean() / norms
    if mode == "min_norm":
        one = (gram[1, 1] - gram[0, 1]) / (gram[0, 0] + gram[1, 1] - 2 * gram[0, 1])
        return np.clip([one, 1 - one], 0, 1)
    return 1.0 + np.array([max(0.0, -gram[0, 1]) / gram[0, 0], 0.0])


@pytest.mark.parametrize("shared", [None, SHARED])
@pytest.mark.parametrize("mode", balance.MODES)
def test_two_outputs(mode, shared):
    main = "main" if mode == "main_first" else None
    model = two_heads(kernel_regularizer=keras.regularizers.L2(0.1))
    start = weights_of(model)
    found, history = trained(model, TaskBalance(mode, main=main, shared=shared))

    def gradients(weights):
        grads = task_gradients(weights)
        places = range(3 if shared else 7)
        flat = [np.concatenate([row[i].ravel() for i in places]) for row in grads]
        parts = wanted_weights(mode, np.inner(flat, flat))
        total = [
            parts[0] * a + parts[1] * b if i in places else a + b
            for i, (a, b) in enumerate(zip(*grads, strict=True))
        ]
        total[1] = total[1] + 0.2 * weights[1]
        return total

    assert_near(found, descended(start, gradients), 1e-5)
    assert {"loss", "main_loss", "other_loss"} <= set(history)


class Squares(Loss):
    def compute_loss(self, inputs, mask=None):
        return keras.ops.mean(keras.ops.square(inputs))


def test_losses_in_the_graph_are_tasks():
    model = tiny_classifier()
    model = keras.Model(model.inputs, Squares(name="squares")(model.outputs[0]))
    start = weights_of(model)
    wrapped = with_methods(model, TaskBalance("main_first", main="squares_added"))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    wrapped.compile(keras.optimizers.SGD(0.1), loss)
    wrapped.fit(IDS, LABELS, epochs=1, verbose=0)
    found = weights_of(model)
    # In numpy, one step: the gradient at the logits is 2 s / 12.
    table, w, b, v, c = start
    mean = table[IDS].mean(1)
    hidden = np.tanh(mean @ w + b)
    d = 2 * (hidden @ v + c) / 12
    dh = d @ v.T * (1 - hidden**2)
    dtable = np.zeros_like(table)
    np.add.at(dtable, IDS, np.repeat((dh @ w.T / 3)[:, None], 3, 1))
    main = [dtable, mean.T @ dh, dh.sum(0), hidden.T @ d, d.sum(0)]
    other = loss_and_gradients(start)[1]
    flat, main_flat = (np.concatenate([g.ravel() for g in x]) for x in (other, main))
    dot, length = flat @ main_flat, main_flat @ main_flat
    part = 1 + max(0.0, -dot) / length
    grads = [part * a + b for a, b in zip(main, other, strict=True)]
    assert_near(found, [w - 0.1 * g for w, g in zip(start, grads, strict=True)], 1e-5)


def test_what_it_cannot_do_is_an_error():
    model = two_heads()
    for method in (FGM(), GradientPenalty()):
        with pytest.raises(ValueError, match="TaskBalance"):
            with_methods(model, method, TaskBalance())
    with pytest.raises(ValueError, match="which changes their sum"):
        with_methods(model, TaskBalance(), GradientPenalty())
    with pytest.raises(ValueError, match="matches no trainable weight"):
        with_methods(model, TaskBalance(shared="encoder"))
    with pytest.raises(ValueError, match="mode must be"):
        TaskBalance("mean")
    with pytest.raises(ValueError, match="main is the name"):
        TaskBalance("main_first")
    with pytest.raises(ValueError, match="no task. The tasks are"):
        trained(model, TaskBalance("main_first", main="hidden"), steps=1)
    with pytest.raises(ValueError, match="two tasks or more"):
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        trained(
            two_heads(), TaskBalance(), steps=1, loss=[loss, None], loss_weights=None
        )
