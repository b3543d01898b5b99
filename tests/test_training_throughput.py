"""Speed in the progress bar, and curves for TensorBoard."""

import sys
import time

import keras
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from bert4keras3.optimizers import Adam, Warmup
from bert4keras3.training import Checkpoint, TensorBoardLog, Throughput

X = np.linspace(-1, 1, 24).reshape(12, 2).astype("float32")
Y = X.sum(-1, keepdims=True)


class Clock:
    """Hours that pass when told so: a step after the first takes a quarter second."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr(time, "perf_counter", lambda: self.now)

    def step(self, callback, batch, seconds, logs):
        self.now += seconds
        callback.on_train_batch_end(batch, logs)


def model_of(optimizer="sgd", **kwargs):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(optimizer, "mse", **kwargs)
    return model


def fit(model, callbacks, epochs=2):
    return model.fit(
        X, Y, batch_size=2, epochs=epochs, shuffle=False, verbose=0, callbacks=callbacks
    )


def events(folder):
    """{tag: [(step, number), ...]} in the order of writing."""
    found = {}
    for path in sorted(folder.iterdir()):
        for event in EventFileLoader(str(path)).Load():
            for value in event.summary.value:
                number = value.tensor.float_val[0]
                found.setdefault(value.tag, []).append((event.step, number))
    return found


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


def test_speed_is_in_the_history():
    history = fit(model_of(), [Throughput(7, flops=1.0, peak=1.0)]).history
    assert len(history["tokens/s"]) == len(history["mfu"]) == 2
    assert history["tokens/s"][1] == pytest.approx(7 * history["mfu"][1])


@pytest.mark.parametrize(
    "wrong", [{"tokens": 0}, {"flops": 1.0}, {"peak": 1.0}, {"window": 0}]
)
def test_numbers_that_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Throughput(**{"tokens": 1, **wrong})


def test_curves(tmp_path):
    schedule = Warmup(0.1, 6)
    model = model_of(Adam(schedule, gradient_accumulation_steps=2))
    history = fit(model, [TensorBoardLog(tmp_path, every=2)]).history
    found = events(tmp_path)
    assert [step for step, _ in found["loss"]] == [2, 4, 6, 8, 10, 12]
    np.testing.assert_allclose(
        [number for _, number in found["epoch/loss"]], history["loss"], rtol=1e-5
    )
    losses = [number for _, number in found["loss"]]
    np.testing.assert_allclose(np.mean(losses[:3]), history["loss"][0], rtol=1e-4)
    rates = [float(keras.ops.convert_to_numpy(schedule(i))) for i in range(6)]
    np.testing.assert_allclose([n for _, n in found["learning_rate"]], rates, rtol=1e-5)


class Stop(keras.callbacks.Callback):
    """Ends the process, so to say, after a number of steps."""

    def on_train_batch_end(self, batch, logs=None):
        if batch == 4:
            raise KeyboardInterrupt


def test_a_resumed_training_goes_on_in_the_same_curves(tmp_path):
    fit(model_of(), [TensorBoardLog(tmp_path / "whole", every=1)])
    for again in (False, True):
        log = TensorBoardLog(tmp_path / "logs", every=1)
        saver = Checkpoint(tmp_path / "saves", every=3, callbacks=[log])
        try:
            fit(model_of(), [log, saver] if again else [log, saver, Stop()])
        except KeyboardInterrupt:
            log.on_train_end()
    whole, found = events(tmp_path / "whole"), events(tmp_path / "logs")
    for tag, points in whole.items():
        assert dict(found[tag]) == pytest.approx(dict(points), rel=1e-4)
    assert len(found["loss"]) == 12 + 2  # steps 4 and 5 were lost and done again


def test_bad_settings_and_a_missing_package(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="every"):
        TensorBoardLog(tmp_path, every=0)
    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto.event_pb2", None)
    with pytest.raises(ImportError, match="pip install tensorboard"):
        TensorBoardLog(tmp_path)
