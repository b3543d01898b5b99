"""Twenty steps of the original's optimizers; its wrong ones are in the other files."""

import pytest
from optimizer_problem import (
    CASES,
    STEPS,
    check,
    feed,
    numbers,
    recorded,
    stacked,
    trajectory,
    variables,
)

from bert4keras3 import optimizers

# Others differ from these in an argument, or put together what is tested alone.
SLOW = {
    "adam_default",
    "lion_default",
    "adafactor_default",
    "adafactor_lr_none_noscale",
    "adafactor_noclip",
    "weight_decay_all",
    "piecewise_from_one",
    "piecewise_default",
    "layer_adaptation",
    "lazy",
    "adamw_piecewise",
    "adafactor_piecewise",
    "lion_wd",
    "adafactor_factored",
    "weight_decay",
    "ema",
}
QUICK_FIRST = [
    pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else [])
    for name in CASES
]


@pytest.mark.parametrize("name", QUICK_FIRST)
def test_recorded_steps(name):
    case = CASES[name]
    kwargs = dict(case["kwargs"])
    if name == "weight_decay_regex":
        # Names ended in ":0" there, so that "gamma$" found nothing.
        kwargs["exclude_from_weight_decay"] = ["^dense"]
    optimizer = stacked(case["base"], *case["extends"])(**kwargs)
    check(trajectory(optimizer), recorded(name))


MODERN = {
    "weight_decay": lambda: optimizers.Adam(
        0.01, weight_decay=0.1, rules=[("Norm|bias", {"decay": 0})]
    ),
    "lamb": lambda: optimizers.Lamb(
        0.01, 0.1, rules=[("Norm|bias", {"decay": 0.0, "adapt": False})]
    ),
    "piecewise": lambda: optimizers.Adam(
        optimizers.PiecewiseLinear(0.01, {5: 1, 15: 0.1})
    ),
    "parameter_wise_lr": lambda: optimizers.Adam(
        0.01,
        rules=[("dense/k", {"lr": 0.5}), ("^d", {"lr": 2}), ("emb", {"lr": 0.1})],
    ),
    "adafactor_exclude_scale": lambda: optimizers.AdaFactor(
        None, min_dim_size_to_factor=2, rules=[("Norm|bias", {"scale": False})]
    ),
}


@pytest.mark.parametrize("name", MODERN)
def test_the_same_by_rules(name):
    check(trajectory(MODERN[name]()), recorded(name))


def test_ema_weights_are_those_of_the_original():
    optimizer, made = (
        stacked("Adam", "exponential_moving_average")(0.01, ema_momentum=0.9),
        variables(),
    )
    optimizer.build(made)
    for step in range(STEPS):
        feed(optimizer, made, step)
    trained = numbers(made)
    with pytest.raises(RuntimeError, match="follows apply_ema_weights"):
        optimizer.reset_old_weights()
    optimizer.apply_ema_weights()
    check(numbers(made), recorded("ema", "after_apply_ema"))
    with pytest.raises(RuntimeError, match="in place already"):
        optimizer.apply_ema_weights()
    optimizer.reset_old_weights()
    check(numbers(made), trained, bound=0)
    check(numbers(made), recorded("ema", "after_reset"))
    optimizer.apply_ema_weights(bias_correction=False)
    check(numbers(made), recorded("ema", "after_apply_ema_nobc"))
