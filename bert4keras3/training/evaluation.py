"""Evaluate on a whole development set after every epoch, and keep the best weights."""

import math
import numbers
import os
from collections.abc import Mapping

import keras


class Evaluation(keras.callbacks.Callback):
    """Run a function after each epoch of `fit`, log its numbers, save the best weights.

    evaluate: model -> {name: number}; called after every epoch. Its numbers appear in
    the progress bar, in History and to the callbacks that come later in the list, such
    as EarlyStopping(monitor="val_f1", mode="max"), each with `prefix` before its name.
    A value that is a mapping, such as the types of `span_f1`, is kept but not logged.
    monitor: which number decides what is best; mode: "max" or "min"; filepath: where
    the best weights go (it ends in .weights.h5), or None.
    After training `best` is the best number, `best_epoch` its epoch from 0 on and
    `best_result` the whole dict of it.
    Raises ValueError for another mode or file name, a missing number, or one that is
    no finite number.
    """

    def __init__(
        self, evaluate, monitor="f1", filepath=None, mode="max", prefix="val_"
    ):
        super().__init__()
        if mode not in ("max", "min"):
            raise ValueError(f"mode must be 'max' or 'min'. Received: {mode!r}")
        if filepath is not None and not os.fspath(filepath).endswith(".weights.h5"):
            raise ValueError(
                f"filepath must end in .weights.h5, as Keras asks. Received: {filepath}"
            )
        self.evaluate = evaluate
        self.monitor = monitor
        self.filepath = filepath
        self.mode = mode
        self.prefix = prefix
        self.best = self.best_epoch = self.best_result = None

    def on_train_begin(self, logs=None):
        self.best = self.best_epoch = self.best_result = None

    def on_epoch_end(self, epoch, logs=None):
        result = dict(self.evaluate(self.model))
        self._check(result)
        if logs is not None:
            logs.update(
                (self.prefix + name, value)
                for name, value in result.items()
                if not isinstance(value, Mapping)
            )
        value = result[self.monitor]
        if self.best is None or self._is_better(value):
            self.best, self.best_epoch, self.best_result = value, epoch, result
            if self.filepath is not None:
                self.model.save_weights(self.filepath, overwrite=True)

    def _is_better(self, value):
        return value > self.best if self.mode == "max" else value < self.best

    def _check(self, result):
        if self.monitor not in result:
            raise ValueError(
                f"evaluate must return monitor={self.monitor!r}. "
                f"It returned: {sorted(result)}"
            )
        for name, value in result.items():
            if isinstance(value, Mapping) and name != self.monitor:
                continue
            if not isinstance(value, numbers.Real) or not math.isfinite(value):
                raise ValueError(
                    f"evaluate must return finite numbers. {name!r} is {value!r}"
                )
