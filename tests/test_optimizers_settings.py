"""Rules over paths, names of classes, and schedules."""

import math

import keras
import numpy as np
import pytest
from keras import ops
from optimizer_problem import NAMES, check, start, trajectory

from bert4keras3 import optimizers
from bert4keras3.optimizers import (
    AdaFactor,
    Adam,
    AdamW,
    Warmup,
    layerwise_decay,
    with_rules,
)

KERNEL, BIAS, GAMMA, TABLE = NAMES


@pytest.mark.parametrize("cls", [Adam, AdamW, with_rules(keras.optimizers.AdamW)])
def test_the_first_rule_that_names_a_setting_decides(cls):
    """Against optimizers of their own for each variable."""
    ruled = [
        ("^Norm", {"frozen": True}),
        ("kernel", {"lr": 0.5}),
        ("dense", {"lr": 3.0, "decay": 0.0}),
        ("", {"decay": 2.0}),
    ]
    found = trajectory(cls(0.01, weight_decay=0.1, rules=ruled), steps=4)
    halved, tripled, plain = (
        trajectory(cls(lr, weight_decay=decay), steps=4)
        for lr, decay in ((0.005, 0.0), (0.03, 0.0), (0.01, 0.2))
    )
    check(found, {KERNEL: halved[KERNEL], BIAS: tripled[BIAS], TABLE: plain[TABLE]})
    np.testing.assert_array_equal(found[GAMMA][-1], start()[GAMMA])


@pytest.mark.parametrize("name", ["SGD", "Muon", "Adafactor", "Lion", "RMSprop"])
def test_keras_optimizers_with_rules_alone_are_unchanged(name):
    cls = getattr(keras.optimizers, name)
    assert with_rules(with_rules(cls)) is with_rules(cls)
    decay = {} if name == "Adafactor" else {"weight_decay": 0.1}
    theirs = trajectory(cls(learning_rate=0.01, **decay), steps=4)
    check(
        trajectory(with_rules(cls)(learning_rate=0.01, **decay), steps=4), theirs, 3e-6
    )


def test_frozen_gradients_do_not_count_in_the_global_norm():
    rules = [("dense|Norm", {"frozen": True})]
    found = trajectory(
        with_rules(keras.optimizers.SGD)(1.0, global_clipnorm=1e-3, rules=rules),
        steps=1,
    )
    moved = found[TABLE][0] - start()[TABLE]
    np.testing.assert_allclose(np.linalg.norm(moved), 1e-3, rtol=1e-3)


def test_layerwise_decay():
    """The top block gets the rate once, and Transformer-1- is not Transformer-11-."""
    factors = {"Embedding-Token": 0.9**3, "Transformer-0-FeedForward": 0.9**2}
    factors |= {"Transformer-1-FeedForward": 0.9, "Transformer-11-X": 1.0, "Head": 1.0}
    made = []
    for scope in factors:
        with keras.name_scope(scope):
            made.append(keras.Variable(np.ones(2, "float32"), name="kernel"))
    before = [ops.convert_to_numpy(one.value).copy() for one in made]
    optimizer = with_rules(keras.optimizers.SGD)(1.0, rules=layerwise_decay(0.9, 2))
    optimizer.apply([ops.ones(2) for _ in made], made)
    moved = [
        a - ops.convert_to_numpy(b.value) for a, b in zip(before, made, strict=True)
    ]
    np.testing.assert_allclose(
        [one[0] for one in moved], [*factors.values()], rtol=1e-6
    )


def test_a_name_registers_the_class():
    cls = optimizers.extend_with_weight_decay(Adam, name="AdamWNamed")
    assert cls.__name__ == "AdamWNamed"
    assert cls is optimizers.extend_with_weight_decay(Adam, name="AdamWNamed")
    assert type(keras.optimizers.get("AdamWNamed")) is cls
    assert isinstance(AdaFactor(), keras.optimizers.Optimizer)


@pytest.mark.parametrize("decay", ["constant", "linear", "cosine"])
@pytest.mark.parametrize("warmup", [4, 0.2])
def test_warmup(decay, warmup):
    schedule = Warmup(2.0, 20, warmup, decay, end=0.1)
    again = Warmup.from_config(schedule.get_config())
    for step in range(25):
        share = min((step - 4) / 16, 1.0)
        down = {
            "constant": 1.0,
            "linear": 1 - 0.9 * share,
            "cosine": 0.55 + 0.45 * math.cos(math.pi * share),
        }[decay]
        expected = 2.0 * (step / 4 if step < 4 else down)
        for one in (schedule, again):
            found = float(ops.convert_to_numpy(one(step)))
            assert found == pytest.approx(expected, abs=1e-6)
