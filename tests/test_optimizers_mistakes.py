"""What optimizers refuse, with errors that name it."""

import keras
import pytest
from optimizer_problem import variables

from bert4keras3 import optimizers
from bert4keras3.optimizers import (
    Adam,
    FlushGradients,
    PiecewiseLinear,
    Warmup,
    layerwise_decay,
    with_rules,
)

REFUSED = {
    "no pair": (["bias"], "a pair"),
    "empty": ([("bias", {})], "needs a dict"),
    "unknown": ([("bias", {"rate": 1})], "'rate'; this optimizer knows"),
    "another's": ([("bias", {"adapt": False})], "'adapt'; this optimizer knows"),
    "regex": ([("bias(", {"lr": 1})], "no regular expression"),
    "number": ([("bias", {"lr": -1})], "a number >= 0"),
    "truth": ([("bias", {"frozen": 1})], "True or False"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_rules(name):
    rules, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        Adam(rules=rules)


def test_a_rule_that_matches_nothing_names_close_paths():
    with pytest.raises(ValueError, match="matches no trainable.*dense/kernel"):
        Adam(rules=[("dens/kernel", {"lr": 0})]).build(variables())
    with pytest.raises(ValueError, match="rank 2.*dense/bias"):
        Adam(rules=[("bias", {"lazy": True})]).build(variables())


def test_lists_of_old_factories_only_warn():
    cls = optimizers.extend_with_weight_decay(Adam)
    with pytest.warns(UserWarning, match="'Nrom' matches no"):
        cls(exclude_from_weight_decay=["Nrom", "bias"]).build(variables())
    with pytest.raises(ValueError, match="must be a list"):
        cls(exclude_from_weight_decay="bias")


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Adam(gradient_accumulation_steps=0), "must be >= 1"),
        (lambda: Adam(gradient_accumulation_steps=1.5), "must be an int"),
        (lambda: with_rules("adam"), "expects a class"),
        (
            lambda: optimizers.extend_with_lookahead(
                optimizers.extend_with_lookahead(Adam)
            ),
            "Lookahead already",
        ),
        (lambda: optimizers.extend_with_layer_adaptation(optimizers.Lamb), "already"),
        (lambda: optimizers.extend_with_lookahead(Adam)(slow_step_size=2), "slow_step"),
        (
            lambda: optimizers.extend_with_exponential_moving_average(Adam)(
                ema_momentum=1
            ),
            "in \\[0, 1\\)",
        ),
        (lambda: PiecewiseLinear(0.1, {}), "at least one"),
        (lambda: PiecewiseLinear(0.1, [1]), "a dict"),
        (lambda: Warmup(0.1, 10, decay="root"), "decay must be"),
        (lambda: Warmup(0.1, 10, warmup=11), "between 0 and"),
        (lambda: layerwise_decay(0, 3), "0 < rate"),
    ],
)
def test_refused_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_flush_needs_an_optimizer_of_ours():
    callback = FlushGradients()
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD())
    callback.set_model(model)
    with pytest.raises(ValueError, match="with_rules"):
        callback.on_epoch_end(0)
