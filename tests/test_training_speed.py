"""Tokens a second, by a clock that the test moves."""

import time
from types import SimpleNamespace

import pytest

from bert4keras3.training import Throughput


class Clock:
    """Hours that pass when told so: a step after the first takes a quarter second."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr(time, "perf_counter", lambda: self.now)

    def step(self, callback, batch, seconds, logs):
        self.now += seconds
        callback.on_train_batch_end(batch, logs)


def test_speed_is_that_of_the_last_steps(monkeypatch):
    clock = Clock(monkeypatch)
    speed = Throughput(1000, flops=4e6, peak=1e8, window=4)
    speed.on_epoch_begin(0)
    for batch, seconds in enumerate((60, 0.25, 0.25, 0.25, 0.25, 9.0)):
        logs = {"loss": 1.0}
        clock.step(speed, batch, seconds, logs)
    # of 0.25, 0.25, 0.25, 9.0 the slowest is left out
    assert logs["tokens/s"] == speed.tokens_per_second == pytest.approx(4000)
    assert logs["mfu"] == speed.mfu == pytest.approx(4 * 4e6 / 1e8)


def test_several_steps_of_one_execution(monkeypatch):
    clock, speed = Clock(monkeypatch), Throughput(100)
    speed.on_epoch_begin(0)
    for batch in (4, 9, 14):
        logs = {"loss": 1.0}
        clock.step(speed, batch, 1.0, logs)
    assert logs["tokens/s"] == pytest.approx(500) and "mfu" not in logs


def test_steps_that_a_checkpoint_leaves_out_do_not_count(monkeypatch):
    clock, speed = Clock(monkeypatch), Throughput(100)
    speed.set_model(SimpleNamespace(_left_out=3))
    speed.on_epoch_begin(0)
    for batch, seconds in enumerate((9.0, 0.01, 0.01, 0.5, 0.5, 0.5)):
        logs = {"loss": 1.0}
        clock.step(speed, batch, seconds, logs)
        assert ("tokens/s" in logs) == (batch >= 3)
    assert logs["tokens/s"] == pytest.approx(200)


@pytest.mark.parametrize(
    "wrong", [{"tokens": 0}, {"flops": 1.0}, {"peak": 1.0}, {"window": 0}]
)
def test_numbers_that_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Throughput(**{"tokens": 1, **wrong})
