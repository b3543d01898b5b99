"""Save a whole training now and then, and go on where it was cut off."""

import copy
from pathlib import Path

import keras

from bert4keras3.backend import randomness, runtime
from bert4keras3.backend.sharding import process, together
from bert4keras3.training.saves import newest_save, plain_attributes, write_save
from bert4keras3.training.state import (
    build_optimizer,
    fingerprint,
    intercept_step,
    read_state,
    write_state,
)
from bert4keras3.utils.positions import random_state, set_random_state


class Checkpoint(keras.callbacks.Callback):
    """Save a training as a whole, and resume it exactly, in the middle of an epoch.

        saver = Checkpoint("run1", data=train, every=500, callbacks=[evaluation])
        model.fit(train.forfit(), steps_per_epoch=len(train), epochs=5,
                  callbacks=[evaluation, saver])

    The same script started again goes on after the last save, with weights, optimizer,
    seeds of dropout, metrics, history and the order of the data as they were; a
    finished training is not repeated. Another training needs another folder.
    folder: where the files go; data: the `DataGenerator` whose forfit() is trained on,
    or None if Keras itself goes over arrays or a `PyDataset` (on tensorflow with
    shuffle=False: its order of shuffled arrays cannot be kept); every: save after so
    many steps, besides the end of every epoch; keep: so many files stay; callbacks:
    those whose numbers (best, wait, ...) are saved too. Must be the last in the list.
    In a run of several processes each makes the callback, with one folder that all can
    read; the first one writes, for as many processes as there are.
    Settings are not saved: rates, schedules, accumulation and methods are those of the
    script that resumes. Resuming makes the batches of the epoch again, without training
    on them. What `encode` of a `BucketedGenerator` draws at random is drawn anew for
    the samples that wait for the next pass.
    Raises ValueError if model, optimizer, data or batch size are others than those of
    the checkpoint.
    """

    def __init__(self, folder, data=None, every=None, keep=2, callbacks=()):
        super().__init__()
        _check_arguments(every, keep, callbacks)
        self.folder, self.every, self.keep = Path(folder), every, keep
        self.callbacks = _with_inner(callbacks)
        self._first_attributes = [plain_attributes(one) for one in self.callbacks]
        self.saved, self._arrays = newest_save(self.folder)
        saved = self.saved or {"trained": 0, "history": [], "data": None}
        self.passes = None
        if data is not None:
            self.passes = together(lambda: data.recorded(saved["data"]))
        self.trained = saved["trained"]  # batches, in all
        self.history = saved["history"]  # [epoch, logs] of every epoch
        self._left_out = 0  # steps of this epoch that were trained before the save
        self._used = False

    def set_model(self, model):
        super().set_model(model)
        self.trainer = model  # `self.model` would fetch the weights on jax

    def on_train_begin(self, logs=None):
        if self._used:
            raise RuntimeError("A Checkpoint is for one fit: make another one.")
        self._used = True
        if self.saved is None:
            return
        together(self._compare)
        build_optimizer(self.model)
        self._restore(metrics=False)
        # As Keras's BackupAndRestore does; reset below, or later trainings keep it.
        self.trainer._initial_epoch = self.saved["epoch"]

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch
        if self.saved is not None:
            self._resume(epoch)
        self._order = random_state()
        self._native = randomness.random_states()

    def on_train_batch_begin(self, batch, logs=None):
        if batch == 0:
            # torch draws a number whenever Keras makes an iterator of the data, which
            # happens in other places after a resumption.
            randomness.set_random_states(self._native)
        if batch < self._left_out:
            # The first is trained all the same: only then do all variables exist.
            logs = None if batch == 0 else self._logs
            intercept_step(self.trainer, self._see, logs)
        elif self._is_due():
            intercept_step(self.trainer, self._see)

    def on_train_batch_end(self, batch, logs=None):
        if batch < self._left_out:
            self._logs = logs
            if batch + 1 >= self._left_out:
                self._go_on()
            return
        due = self._is_due()
        self.trained += self.trainer.steps_per_execution
        if due:
            self._save(self.epoch, batch + 1)

    def on_epoch_end(self, epoch, logs=None):
        numbers = {name: float(value) for name, value in (logs or {}).items()}
        self.history.append([epoch, numbers])
        self.trainer._left_out = 0
        self._order, self._native = random_state(), randomness.random_states()
        self._save(epoch + 1, 0)

    def on_train_end(self, logs=None):
        if self.saved is not None:  # nothing was left to do
            self._recall()
            self.trainer._initial_epoch = None

    # --- saving ---------------------------------------------------------------

    def _is_due(self):
        if self.every is None:
            return False
        after = self.trained + self.trainer.steps_per_execution
        return after // self.every > self.trained // self.every

    def _see(self, batches):
        self._batches = batches

    def _save(self, epoch, step):
        first = not process()[0]
        arrays = read_state(self.model, metrics=step > 0, kept=first)
        for place, state in enumerate(self._native):
            arrays[f"epoch/{place:05d}"] = state
        begun = self.trained - step
        noted = {
            **self._identity(),
            "epoch": epoch,
            "step": step,
            "trained": self.trained,
            "history": self.history,
            "batch": fingerprint(self._batches) if step else None,
            "order": self._order,
            "data": None if self.passes is None else self.passes.at(begun),
            "callbacks": self._attributes(),
        }
        write_save(self.folder, self.trained, noted, arrays, self.keep)
        self._batches = None

    def _identity(self):
        """What must be the same when the training is resumed."""
        return {
            "backend": runtime.BACKEND,
            "optimizer": type(self.trainer.optimizer).__name__,
            "steps": self.params["steps"],
            "settings": None if self.passes is None else self.passes.settings,
            "callback types": [type(one).__name__ for one in self.callbacks],
        }

    def _attributes(self):
        """What changed in the callbacks since the beginning."""
        found = []
        pairs = zip(self.callbacks, self._first_attributes, strict=True)
        for callback, first in pairs:
            now = plain_attributes(callback)
            changed = {k: v for k, v in now.items() if k not in first or first[k] != v}
            found.append(changed)
        return found

    # --- resuming -------------------------------------------------------------

    def _compare(self):
        for name, value in self._identity().items():
            if self.saved[name] != value:
                raise ValueError(
                    f"{self.folder} is the checkpoint of another training: {name} was "
                    f"{self.saved[name]!r}. Received: {value!r}. Make them the same, "
                    "or give a new folder."
                )

    def _restore(self, metrics):
        write_state(self.model, self._arrays, metrics)
        saved = self.saved["callbacks"]
        parts = zip(self.callbacks, self._first_attributes, saved, strict=True)
        for callback, first, values in parts:
            # What was as at first is not in the save. Copies: the steps that are left
            # out change the callbacks' lists, before these are restored once more.
            same = {k: v for k, v in first.items() if k in plain_attributes(callback)}
            vars(callback).update(copy.deepcopy({**same, **values}))

    def _resume(self, epoch):
        self.trainer._initial_epoch = None
        if epoch != self.saved["epoch"]:
            raise ValueError(
                f"The checkpoint is in epoch {self.saved['epoch']}, and the training "
                f"began with {epoch}: leave out initial_epoch."
            )
        self._recall()
        if self.passes is None:
            set_random_state(self.saved["order"])
        names = sorted(name for name in self._arrays if name.startswith("epoch/"))
        randomness.set_random_states([self._arrays[name] for name in names])
        self._left_out = self.trainer._left_out = self.saved["step"]
        self.trained -= self._left_out
        if not self._left_out:
            self.saved = self._arrays = None

    def _recall(self):
        """The history of the epochs before, in what `fit` returns."""
        history = self.trainer.history
        for epoch, logs in self.history:
            history.epoch.append(epoch)
            for name, value in logs.items():
                history.history.setdefault(name, []).append(value)

    def _compare_batch(self):
        if fingerprint(self._batches) != self.saved["batch"]:
            raise ValueError(
                f"The batch of step {self._left_out} in epoch {self.saved['epoch']} is "
                "not the one trained on before the save: the data or their order are "
                "others. Pass the generator as data=, with the same samples and seed; "
                "on tensorflow, arrays need shuffle=False."
            )

    def _go_on(self):
        """All that was trained before is left out: train from here on."""
        together(self._compare_batch)
        self._restore(metrics=True)
        self.trained += self._left_out
        self.saved = self._arrays = self._batches = None
        self._left_out = 0


def _with_inner(callbacks):
    """The callbacks, and those that they run (`EMAEvaluation`)."""
    found = []
    for one in callbacks:
        found += [one, *_with_inner(getattr(one, "callbacks", ()))]
    return found


def _check_arguments(every, keep, callbacks):
    for name, value in (("every", every), ("keep", keep)):
        whole = isinstance(value, int) and value > 0
        if not whole and (name, value) != ("every", None):
            raise ValueError(
                f"{name} must be a whole number above 0. Received: {value!r}"
            )
    for callback in callbacks:
        if getattr(callback, "restore_best_weights", False):
            raise ValueError(
                "restore_best_weights=True keeps weights in memory, which go with the "
                "process. Keep the best ones with Evaluation(filepath=...)."
            )
