"""Published rules in NumPy, where the original is wrong or has no such optimizer."""

import numpy as np
import optimizer_rules as rules
import pytest
from optimizer_problem import (
    NAMES,
    STEPS,
    check,
    feed,
    gradients,
    numbers,
    stacked,
    start,
    trajectory,
    variables,
)

from bert4keras3.optimizers import AdaFactor, Adam, AdamW, Lamb, Tiger

TABLE = "embedding/embeddings"
KINDS = dict(zip(NAMES, ("matrix", "offset", "gamma", "table"), strict=True))


def expected(rule, *args, **kwargs):
    return {
        name: rule(start()[name], gradients(name), *args, **kwargs) for name in NAMES
    }


@pytest.mark.parametrize("k, alpha", [(5, 0.5), (3, 0.8)])
def test_lookahead(k, alpha):
    cls = stacked("Adam", "lookahead")
    found = trajectory(cls(0.01, steps_per_slow_update=k, slow_step_size=alpha))
    check(found, expected(rules.lookahead, k, alpha))


@pytest.mark.parametrize("k", [2, 3])
def test_accumulation(k):
    """The mean of k gradients at the k-th; nothing moves in between."""
    found = trajectory(Adam(0.01, weight_decay=0.1, gradient_accumulation_steps=k))
    for name in NAMES:
        groups = STEPS // k
        grads = gradients(name)[: groups * k]
        means = grads.reshape(groups, k, *grads.shape[1:]).mean(1)
        values = rules.adam(start()[name], means, decay=0.1)
        before = np.concatenate([[start()[name]], values])
        check(found, {name: before[np.arange(1, STEPS + 1) // k]})


def test_a_last_group_of_fewer_batches():
    optimizer, made = Adam(0.01, gradient_accumulation_steps=3), variables()
    optimizer.build(made)
    for step in range(5):
        feed(optimizer, made, step)
    assert int(optimizer.iterations) == 1
    assert optimizer.flush() and not optimizer.flush()
    assert int(optimizer.iterations) == 2
    for name, value in numbers(made).items():
        grads = gradients(name)
        means = np.stack([grads[:3].mean(0), grads[3:5].mean(0)])
        check({name: value}, {name: rules.adam(start()[name], means)[-1]})


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 0, 1), (2, 0, 3, 1)])
def test_old_stack_counts_its_schedule_in_batches(order):
    """Without bias correction it is what the original did, one batch earlier.

    The original applies group j at batch 2 j + 1 with the factor of that batch, which
    is the number of batches seen before it; accumulation may stand anywhere.
    """
    names = ["weight_decay", "layer_adaptation", "piecewise_linear_lr"]
    names.append("gradient_accumulation")
    cls = stacked("Adam", *(names[i] for i in order))
    found = trajectory(
        cls(
            0.01,
            bias_correction=False,
            weight_decay_rate=0.1,
            grad_accum_steps=2,
            lr_schedule={5: 1, 15: 0.1},
        )
    )

    def rate(group):
        return 0.01 * np.interp(2 * group, [0, 5, 15], [0.0, 1.0, 0.1])

    for name in NAMES:
        grads = gradients(name)
        means = grads.reshape(-1, 2, *grads.shape[1:]).mean(1)
        p = start()[name]
        values = rules.adam(p, means, rate, decay=0.1, adapt=True, correct=False)
        check({name: found[name][1::2]}, {name: values}, bound=2e-6)


def test_averages_count_updates_also_of_sparse_gradients():
    cls = stacked("Adam", "gradient_accumulation", "exponential_moving_average")
    optimizer, made = cls(0.01, ema_momentum=0.9, grad_accum_steps=2), variables()
    optimizer.build(made)
    with pytest.raises(RuntimeError, match="train first"):
        optimizer.apply_ema_weights()
    for step in range(STEPS):
        feed(optimizer, made, step)
    optimizer.apply_ema_weights()
    for name, value in numbers(made).items():
        grads = gradients(name)
        means = grads.reshape(-1, 2, *grads.shape[1:]).mean(1)
        values = rules.adam(start()[name], means)
        check({name: value}, {name: rules.averages(values, 0.9)})


@pytest.mark.parametrize("cls", [Adam, AdamW])
def test_lazy_rows(cls):
    optimizer = cls(
        0.01, epsilon=1e-6, weight_decay=0.1, rules=[("embedding", {"lazy": True})]
    )
    grads, as_keras = gradients(TABLE)[:6], cls is AdamW
    values = rules.lazy(start()[TABLE], grads, decay=0.1, keras=as_keras)
    rows = np.abs(gradients(TABLE)).sum(-1) > 0
    assert 0 < rows.mean() < 1
    check({TABLE: trajectory(optimizer, steps=6)[TABLE]}, {TABLE: values})


@pytest.mark.parametrize("smallest", [2, 128])
def test_adafactor(smallest):
    found = trajectory(AdaFactor(None, min_dim_size_to_factor=smallest))
    check(found, expected(rules.adafactor, factored=smallest == 2))


def test_lamb():
    check(
        trajectory(Lamb(0.01, weight_decay=0.1)),
        expected(rules.adam, decay=0.1, adapt=True),
    )


def test_tiger(monkeypatch):
    bad = {name: np.array(gradients(name)) for name in NAMES}
    for grads in bad.values():
        grads[7].flat[1] = np.nan
    monkeypatch.setattr("optimizer_problem.gradients", bad.get)
    values = {
        name: rules.tiger(start()[name], bad[name], KINDS[name]) for name in NAMES
    }
    check(trajectory(Tiger()), values)
