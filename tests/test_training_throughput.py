"""Speed in the progress bar, and curves for TensorBoard."""

import sys

import keras
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from bert4keras3.optimizers import Adam, Warmup
from bert4keras3.training import Checkpoint, TensorBoardLog, Throughput

X = np.linspace(-1, 1, 24).reshape(12, 2).astype("float32")
Y = X.sum(-1, keepdims=True)


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


def test_speed_is_in_the_history():
    history = fit(model_of(), [Throughput(7, flops=1.0, peak=1.0)]).history
    assert len(history["tokens/s"]) == len(history["mfu"]) == 2
    assert history["tokens/s"][1] == pytest.approx(7 * history["mfu"][1])


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


class Counted(keras.callbacks.Callback):
    """How many steps of every epoch a Throughput counts."""

    def __init__(self, speed):
        super().__init__()
        self.speed, self.found = speed, []

    def on_epoch_end(self, epoch, logs=None):
        self.found.append(len(self.speed._seconds))


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
        speed = Throughput(1)
        counted = Counted(speed)
        try:
            last = [speed, counted] if again else [Stop()]
            fit(model_of(), [log, saver, *last])
        except KeyboardInterrupt:
            log.on_train_end()
    whole, found = events(tmp_path / "whole"), events(tmp_path / "logs")
    for tag, points in whole.items():
        assert dict(found[tag]) == pytest.approx(dict(points), rel=1e-4)
    assert len(found["loss"]) == 12 + 2  # steps 4 and 5 were lost and done again
    assert counted.found == [3, 6]  # three steps were left out, not trained


def test_bad_settings_and_a_missing_package(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="every"):
        TensorBoardLog(tmp_path, every=0)
    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto.event_pb2", None)
    with pytest.raises(ImportError, match="pip install tensorboard"):
        TensorBoardLog(tmp_path)
