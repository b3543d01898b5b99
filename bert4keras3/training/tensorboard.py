"""Curves for TensorBoard, written without TensorFlow."""

import time
from pathlib import Path

import keras
import numpy as np

from bert4keras3.backend.sharding import process


class TensorBoardLog(keras.callbacks.Callback):
    """Write what `fit` logs for TensorBoard, on any backend.

        model.fit(..., callbacks=[throughput, TensorBoardLog("run1/logs"), saver])
        # tensorboard --logdir run1/logs

    folder: where the event files go; every: steps between two points. The loss is the
    mean since the point before, other numbers are as Keras tells them (means of the
    epoch so far); numbers at the end of an epoch are under "epoch/". Give it to a
    `Checkpoint` too, and a resumed training goes on in the same curves.
    Raises ImportError without the package, ValueError for `every` below 1.
    """

    def __init__(self, folder, every=50):
        super().__init__()
        if not isinstance(every, int) or every < 1:
            raise ValueError(
                f"every must be a whole number above 0. Received: {every!r}"
            )
        _tensorboard()
        self.folder, self.every = str(Path(folder)), every
        self.written = 0  # steps that have their point
        self.end = 0  # steps in all, where Keras does not tell those of an epoch
        self.point = [0, 0.0]  # of this epoch: steps at the last, sum of their losses
        self.writer = None

    def set_model(self, model):
        super().set_model(model)
        self.trainer = model  # `self.model` would fetch the weights on jax

    def on_train_begin(self, logs=None):
        if not process()[0]:  # of several processes the first one writes
            self.writer = _tensorboard()[0](self.folder)

    def on_train_end(self, logs=None):
        if self.writer is not None:
            self.writer.close()
        self.writer = None

    def on_epoch_begin(self, epoch, logs=None):
        steps = self.params["steps"]
        self._before = self.end if steps is None else epoch * steps
        self.point = [0, 0.0]

    def on_train_batch_end(self, batch, logs=None):
        done = batch + 1
        step = self.end = self._before + done
        if step // self.every <= self.written // self.every:
            return  # also a step that a resumed training leaves out
        numbers = {name: float(value) for name, value in (logs or {}).items()}
        if "loss" in numbers:
            last, total = self.point
            self.point = [done, numbers["loss"] * done]
            numbers["loss"] = (self.point[1] - total) / (done - last)
        self._write(step, {**numbers, **self._rate(step)})
        self.written = step

    def on_epoch_end(self, epoch, logs=None):
        numbers = {f"epoch/{name}": float(value) for name, value in logs.items()}
        self._write(epoch + 1, numbers)

    def _rate(self, step):
        """The rate of a step; the optimizer's own count stands still on jax."""
        optimizer = self.trainer.optimizer
        optimizer = getattr(optimizer, "inner_optimizer", optimizer)
        rate = getattr(optimizer, "_learning_rate", None)
        if isinstance(rate, keras.optimizers.schedules.LearningRateSchedule):
            each = getattr(optimizer, "accumulation_steps", None)  # ours
            each = each or optimizer.gradient_accumulation_steps or 1
            rate = rate(keras.ops.convert_to_tensor((step - 1) // each, "int32"))
        elif rate is None:
            return {}
        else:
            _ = self.model  # fetches the optimizer's numbers on jax
        return {"learning_rate": float(keras.ops.convert_to_numpy(rate))}

    def _write(self, step, numbers):
        if self.writer is None:
            return
        _, Event, Summary = _tensorboard()
        values = [
            Summary.Value(tag=name, simple_value=number)
            for name, number in numbers.items()
            if np.isfinite(number)
        ]
        event = Event(wall_time=time.time(), step=step, summary=Summary(value=values))
        self.writer.add_event(event)
        self.writer.flush()


def _tensorboard():
    """(EventFileWriter, Event, Summary)."""
    try:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.event_file_writer import EventFileWriter
    except ImportError as error:
        raise ImportError(
            "TensorBoardLog needs the package tensorboard: pip install tensorboard"
        ) from error
    return EventFileWriter, Event, Summary
