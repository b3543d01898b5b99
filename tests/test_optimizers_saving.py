"""Optimizers in saved models: complete configs, and state that goes on."""

import importlib
import json

import keras
import numpy as np
import pytest
from optimizer_problem import fit, same, small_model

from bert4keras3 import optimizers
from bert4keras3.optimizers import Adam, Lamb, with_rules

STACKS = {
    "all": [
        "weight_decay",
        "layer_adaptation",
        "piecewise_linear_lr",
        "lookahead",
        "exponential_moving_average",
        "parameter_wise_lr",
        "lazy_optimization",
        "gradient_accumulation",
    ],
    "outer decay": ["layer_adaptation", "weight_decay"],
}
ARGUMENTS = {
    "weight_decay_rate": 0.1,
    "exclude_from_weight_decay": ["bias"],
    "exclude_from_layer_adaptation": ["bias"],
    "lr_schedule": {6: 1, 20: 0.1},
    "steps_per_slow_update": 3,
    "slow_step_size": 0.4,
    "ema_momentum": 0.9,
    "paramwise_lr_schedule": {"head": 2.0},
    "include_in_lazy_optimization": ["kernel"],
    "grad_accum_steps": 3,
}


def legacy(names):
    cls = Adam
    for name in names:
        cls = getattr(optimizers, f"extend_with_{name}")(cls)
    if "gradient_accumulation" not in names:
        return cls(0.05, weight_decay_rate=0.1, exclude_from_weight_decay=["bias"])
    return cls(learning_rate=0.05, bias_correction=False, **ARGUMENTS)


MADE = {
    "all": lambda: legacy(STACKS["all"]),
    "outer decay": lambda: legacy(STACKS["outer decay"]),
    "Lamb": lambda: Lamb(0.05, rules=[("bias", {"adapt": False, "decay": 0})]),
    "AdaFactor": lambda: optimizers.AdaFactor(None, beta1=0.5),
    "AdaFactor, a number": lambda: optimizers.AdaFactor(0.05),
    "Tiger": lambda: optimizers.Tiger(0.05, gradient_accumulation_steps=2),
    "Lion": lambda: optimizers.Lion(optimizers.Warmup(0.05, 20)),
    "Muon": lambda: with_rules(keras.optimizers.Muon)(
        0.05, rules=[("head", {"lr": 0.5, "decay": 0.0})]
    ),
}


@pytest.mark.parametrize("name", MADE)
def test_saved_training_goes_on_with_the_same_numbers(name, tmp_path):
    """In the middle of an accumulated group too."""
    model = small_model(MADE[name]())
    config = json.loads(json.dumps(model.optimizer.get_config()))
    copy = type(model.optimizer).from_config(json.loads(json.dumps(config)))
    assert json.loads(json.dumps(copy.get_config())) == config
    fit(model, 5)
    path = str(tmp_path / "model.keras")
    model.save(path)
    again = keras.models.load_model(path)
    assert type(again.optimizer) is type(model.optimizer)
    same(fit(again, 5), fit(model, 5), bound=0)


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="jax alone")
def test_lookahead_of_weights_that_keras_would_compile(monkeypatch):
    """Keras compiles initializers of large values, by the number of devices."""
    core = importlib.import_module("keras.src.backend.jax.core")
    monkeypatch.setattr(core, "should_shard_at_init", lambda layout, shape: True)
    devices = keras.distribution.list_devices()[:1]
    with keras.distribution.DataParallel(devices=devices).scope():
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
        optimizer = optimizers.extend_with_lookahead(optimizers.AdamW)(1e-3)
        optimizer.build(model.trainable_variables)
    pairs = zip(optimizer._slow, model.trainable_variables, strict=True)
    for slow, variable in pairs:
        np.testing.assert_array_equal(slow.numpy(), variable.numpy())
        assert slow.value.sharding.is_equivalent_to(variable.value.sharding, 1)
