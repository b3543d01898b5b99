"""Optimizers under `fit`, compiled: accumulation and averages."""

import keras
import numpy as np
import pytest
from optimizer_problem import X, Y, fit, same, small_model

from bert4keras3 import optimizers
from bert4keras3.optimizers import Adam, AdamW, FlushGradients


@pytest.mark.parametrize("use_ema", [False, True])
def test_k_batches_are_one_big_batch(use_ema):
    """Schedules, decay, clipping and Keras's averages see updates only."""

    def made(**kwargs):
        schedule = optimizers.PiecewiseLinear(0.05, {0: 1, 4: 0.1})
        return AdamW(
            schedule, weight_decay=0.1, global_clipnorm=0.5, use_ema=use_ema, **kwargs
        )

    whole = fit(small_model(made()), 10, epochs=2)
    model = small_model(made(gradient_accumulation_steps=2))
    same(fit(model, 5, epochs=2), whole)
    assert int(model.optimizer.iterations) == 4


def test_the_last_group_is_applied_with_its_mean():
    """Batches of 4 by twos: the fifth stands alone, as a big batch of 4 does."""
    accumulated = small_model(Adam(0.05, gradient_accumulation_steps=2))
    found = fit(accumulated, 4, epochs=2, callbacks=[FlushGradients()])
    same(found, fit(small_model(Adam(0.05)), 8, epochs=2))
    assert int(accumulated.optimizer.iterations) == 6


class Averaged(keras.callbacks.Callback):
    """Looks at the averages at the end of each epoch, as published scripts do."""

    def __init__(self, reset=True):
        super().__init__()
        self.seen, self.reset = [], reset

    def on_epoch_end(self, epoch, logs=None):
        optimizer = self.model.optimizer
        before = [np.array(one) for one in self.model.get_weights()]
        optimizer.apply_ema_weights()
        self.seen.append([np.array(one) for one in self.model.get_weights()])
        if self.reset:
            optimizer.reset_old_weights()
            same(self.model.get_weights(), before, bound=0)


def test_averages_from_a_callback():
    cls = optimizers.extend_with_exponential_moving_average(Adam)
    plain = small_model(Adam(0.05))
    model, look = small_model(cls(0.05, ema_momentum=0.5)), Averaged()
    found = fit(model, 10, epochs=2, callbacks=[look])
    values = []
    for _ in range(2):
        for i in (0, 10):
            plain.train_on_batch(X[i : i + 10], Y[i : i + 10])
            values.append([np.array(one) for one in plain.get_weights()])
    same(found, values[-1])
    weights = 0.5 ** np.arange(4, 0, -1)
    for i, seen in enumerate(look.seen[1]):
        mean = sum(w * v[i] for w, v in zip(weights, values, strict=True))
        same([seen], [mean / weights.sum()])


def test_training_goes_on_from_averages_that_stay():
    cls = optimizers.extend_with_exponential_moving_average(AdamW)
    model = small_model(cls(0.05, ema_momentum=0.5))
    weights = fit(model, 10, epochs=2, callbacks=[Averaged(reset=False)])
    assert np.isfinite(np.concatenate([one.ravel() for one in weights])).all()
    assert int(model.optimizer.iterations) == 4
