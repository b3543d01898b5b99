"""Half precision under fit: loss scaling skips a step, and training goes on."""

import keras
import numpy as np
import pytest
from keras import ops
from tiny_models import build

from bert4keras3.training import FGM, with_methods

IDS = np.random.default_rng(0).integers(1, 50, (4, 6)).astype("int32")
LABELS = np.array([0, 1, 2, 0])


@pytest.fixture(params=["mixed_float16", "mixed_bfloat16"])
def policy(request):
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy("float32")


def classifier(*methods, scale=None):
    t = build(num_hidden_layers=1, with_pool=False)
    x = keras.layers.Dense(3, dtype="float32", name="logits")(t.model.output[:, 0])
    model = keras.Model(t.model.inputs, x)
    model = with_methods(model, *methods) if methods else model
    optimizer = keras.optimizers.Adam(0.01)
    if scale is not None:
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer, scale)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss)
    return model


def number(variable):
    return float(ops.convert_to_numpy(variable))


plain = pytest.param((), id="plain", marks=pytest.mark.slow)
with_fgm = pytest.param((FGM(0.1),), id="FGM")


@pytest.mark.parametrize("methods", [plain, with_fgm])
def test_it_learns(policy, methods):
    model = classifier(*methods)
    assert model.get_layer("Transformer-0-FeedForward").compute_dtype in policy
    scaled = isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    assert scaled == (policy == "mixed_float16")  # compile does it
    inputs = [IDS, np.zeros_like(IDS)]
    losses = model.fit(inputs, LABELS, epochs=12, verbose=0).history["loss"]
    assert np.isfinite(losses).all()
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.parametrize("methods", [plain, with_fgm])
def test_a_step_with_overflow_is_skipped(methods):
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = classifier(*methods, scale=2.0**60)
        inputs = [IDS, np.zeros_like(IDS)]
        before = model.get_weights()
        model.fit(inputs, LABELS, verbose=0)
        assert number(model.optimizer.dynamic_scale) == 2.0**59
        assert number(model.optimizer.iterations) == 0
        for one, other in zip(before, model.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)
        history = model.fit(inputs, LABELS, epochs=60, verbose=0)
        assert number(model.optimizer.dynamic_scale) < 2.0**30
        assert number(model.optimizer.iterations) > 0
        assert np.isfinite(history.history["loss"]).all()
        assert any(
            not np.array_equal(one, other)
            for one, other in zip(before, model.get_weights(), strict=True)
        )
    finally:
        keras.config.set_dtype_policy("float32")
