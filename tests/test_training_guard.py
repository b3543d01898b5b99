"""NaNGuard names the first tensor that is not finite."""

import keras
import numpy as np
import pytest
from keras import ops
from tiny_training import IDS, LABELS, tiny_classifier

from bert4keras3.training import NaNGuard


class Bad(keras.layers.Layer):
    """log(x), no number below 0; or x + sqrt(x), without a finite gradient at 0."""

    def __init__(self, logarithm, **kwargs):
        super().__init__(**kwargs)
        self.logarithm = logarithm

    def call(self, inputs):
        if self.logarithm:
            return ops.log(inputs)
        return inputs + ops.sqrt(inputs)


def spoiled(kind):
    """A model with one input (B, 3): ones are harmless, minus one or zero is not."""
    x = inputs = keras.Input((3,))
    x = keras.layers.Dense(3, kernel_initializer="identity", name="first")(x)
    x = keras.layers.Dense(3, kernel_initializer="identity", name="second")(x)
    x = Bad(kind == "output", name="bad")(x)
    x = keras.layers.Dropout(0.1)(x)
    return keras.Model(inputs, keras.layers.Dense(2, name="last")(x))


def run(model, value, step=5, every=3, loss="mse", rate=0.0):
    """fit on ones, except for one step whose input holds `value`."""
    x = np.ones((32, 3), "float32")
    x[4 * step, 1] = value
    model.compile(keras.optimizers.SGD(rate), loss)
    model.fit(
        x,
        np.ones((32, 2), "float32"),
        batch_size=4,
        epochs=2,
        shuffle=False,
        verbose=0,
        callbacks=[NaNGuard(every)],
    )


def test_finite_training_goes_on():
    model = tiny_classifier(dropout=0.2)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    found = []
    for callbacks in ([], [NaNGuard(2)]):
        keras.utils.set_random_seed(1)
        model = tiny_classifier(dropout=0.2)
        model.compile("adam", loss)
        model.fit(IDS, LABELS, batch_size=1, epochs=2, verbose=0, callbacks=callbacks)
        found.append(model.get_weights())
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("every", [3, 100])
def test_output_of_a_layer(every):
    with pytest.raises(FloatingPointError, match="step 6: .*output of layer 'bad'"):
        run(spoiled("output"), -1.0, every=every)


def test_gradient_of_a_variable():
    model = spoiled("gradient")
    pattern = "step 6: .*gradient of variable 'second/bias'"
    with pytest.raises(FloatingPointError, match=pattern):
        run(model, 0.0)


def test_loss_and_bad_weights():
    def loss(y_true, y_pred):
        return ops.mean(ops.log(y_pred * 0.0 - 1.0))

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="only")])
    with pytest.raises(FloatingPointError, match="step 1: .*the loss"):
        run(model, 1.0, loss=loss)
    model.layers[0].bias.assign([np.nan, 0.0])
    with pytest.raises(FloatingPointError, match="only/bias' is not finite before"):
        run(model, 1.0)
    with pytest.raises(ValueError, match="every must be"):
        NaNGuard(0)


def test_update_of_a_variable():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="only")])
    with pytest.raises(FloatingPointError, match="step 1: .*only/.*' after the step"):
        run(model, 1.0, rate=float("inf"))
