"""The rules that weigh gradients: what each promises, on many random gradients."""

import keras
import numpy as np
import pytest

from bert4keras3.training import tasks as balance


def test_the_main_loss_never_rises():
    rng = np.random.default_rng(0)
    for _ in range(1000):
        main, other = rng.normal(size=(2, 30)) * 10.0 ** rng.uniform(-3, 3, (2, 1))
        other = other - main * rng.uniform(0, 2) * rng.choice([0, 1e-3, 1])
        grads = [[keras.ops.convert_to_tensor(g, "float32")] for g in (main, other)]
        weights = balance.main_first_weights(balance.inner_products(grads), 0)
        (step,) = balance.combined(grads, weights, [0])
        step = keras.ops.convert_to_numpy(step).astype("float64")
        main = main.astype("float32").astype("float64")
        assert step @ main >= 0
        rounding = 1e-6 * np.linalg.norm(other) * np.linalg.norm(main)
        assert step @ main >= (1 - 1e-5) * main @ main - rounding


def test_min_norm_of_many():
    rng = np.random.default_rng(0)
    for count in (2, 3, 5):
        for _ in range(3):
            rows = rng.normal(size=(count, 4)) + rng.normal(size=4)
            gram = keras.ops.convert_to_tensor(rows @ rows.T, "float32")
            found = keras.ops.convert_to_numpy(balance.min_norm_weights(gram))
            assert found.min() >= 0 and found.sum() == pytest.approx(1, abs=1e-5)
            mean = found @ rows
            # The condition of the minimum: no task is nearer to zero than the mean.
            gap = mean @ mean - (rows @ mean).min()
            assert gap <= 2e-3 * np.abs(rows @ rows.T).max()
