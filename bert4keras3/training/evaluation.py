"""Evaluate on a whole development set after every epoch, and keep the best weights."""

import math
import numbers
import os
from collections.abc import Mapping

import keras

from bert4keras3.backend.sharding import from_all, process, together
from bert4keras3.training.state import save_weights


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
    In a run of several processes each makes the callback and calls evaluate; the
    numbers of the first one hold in all of them (mappings stay), and it writes the
    weights, also those that are cut over processes.
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
        model = self.model
        result = _agreed(together(lambda: self._checked(self.evaluate(model))))
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
                save_weights(model, self.filepath)

    def _is_better(self, value):
        return value > self.best if self.mode == "max" else value < self.best

    def _checked(self, result):
        result = dict(result)
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
        return result


def _agreed(result):
    """The result with the numbers of the first process: what is best is so in all."""
    if process()[1] == 1:
        return result
    own = {k: float(v) for k, v in result.items() if not isinstance(v, Mapping)}
    return {**result, **from_all(own)[0]}
