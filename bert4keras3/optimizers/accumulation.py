"""Gradients of several batches as one update."""

import keras
from keras import ops

from bert4keras3.backend import runtime, updates


class Accumulation:
    """Mixin: `gradient_accumulation_steps=k` micro-batches make one update.

    The mean of their gradients is applied at the k-th. `iterations`, schedules, moving
    averages and weight decay count updates; `_iterations` counts micro-batches.
    `flush()` applies a group that is not full yet, with the mean of what is there.
    """

    def __init__(self, *args, gradient_accumulation_steps=None, **kwargs):
        steps = gradient_accumulation_steps
        if steps is not None and (isinstance(steps, bool) or int(steps) != steps):
            raise ValueError(
                f"gradient_accumulation_steps must be an int. Received: {steps!r}"
            )
        if steps is not None and steps < 1:
            raise ValueError(
                f"gradient_accumulation_steps must be >= 1. Received: {steps!r}"
            )
        super().__init__(*args, **kwargs)
        self.accumulation_steps = int(steps) if steps and steps > 1 else None
        self._with_gradient = None
        if self.accumulation_steps:
            self._pending, self._updates = (
                self.add_variable((), dtype="int", name=name)
                for name in ("pending", "updates")
            )

    @property
    def iterations(self):
        """How many updates were made."""
        return self._updates if self.accumulation_steps else self._iterations

    def _schedule_step(self):
        """What the keys of a legacy `lr_schedule` count."""
        return self.iterations

    def _get_current_learning_rate(self):
        rate = self._learning_rate
        if isinstance(rate, keras.optimizers.schedules.LearningRateSchedule):
            return rate(self.iterations)
        return super()._get_current_learning_rate()

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        if self.accumulation_steps:
            self._gradient_sums = self.add_optimizer_variables(
                variables, "gradient_sum"
            )

    def _backend_apply_gradients(self, grads, trainable_variables):
        if not self.accumulation_steps:
            super()._backend_apply_gradients(grads, trainable_variables)
            return
        places = tuple(self._get_variable_index(one) for one in trainable_variables)
        self._with_gradient = places
        for place, grad in zip(places, grads, strict=True):
            total = self._gradient_sums[place]
            total.assign_add(ops.cast(grad, total.dtype))
        self._pending.assign_add(1)
        full = ops.greater_equal(self._pending.value, self.accumulation_steps)
        everything = [*self._trainable_variables, *self.variables]
        updates.run_if(full, self._apply_group, everything)

    def _apply_group(self):
        """One update with the mean of what was collected."""
        places = self._with_gradient or range(len(self._trainable_variables))
        sums = [self._gradient_sums[place] for place in places]
        means = [one / ops.cast(self._pending.value, one.dtype) for one in sums]
        targets = [self._trainable_variables[place] for place in places]
        super()._backend_apply_gradients(means, targets)
        for one in sums:
            one.assign(ops.zeros_like(one.value))
        self._pending.assign(ops.zeros_like(self._pending.value))
        self._updates.assign_add(1)

    def flush(self):
        """Apply the micro-batches of a group that is not full yet.

        Returns whether there were any. Call it outside of a compiled step:
        `FlushGradients` does at the end of every epoch.
        """
        if not self.accumulation_steps or not self.built:
            return False
        check_readable(self._pending, "flush()")
        if int(self._pending.value) == 0:
            return False
        self._apply_group()
        return True

    def get_config(self):
        config = super().get_config()
        config["gradient_accumulation_steps"] = self.accumulation_steps
        return config


def check_readable(variable, what):
    """RuntimeError while the training step of jax holds the variables."""
    if not runtime.has_value(variable):
        raise RuntimeError(
            f"{what} needs the weights, which are with the training step while jax "
            "trains: read `self.model` of the callback first, or call it at the end "
            "of an epoch."
        )


class FlushGradients(keras.callbacks.Callback):
    """Apply the last, partial group of accumulated gradients at each end of an epoch.

    Put it before callbacks that evaluate or save. It needs an optimizer of
    bert4keras3.optimizers. Where an epoch is an arbitrary stretch of an endless stream,
    leave it out: groups then reach over the ends of epochs.
    """

    def on_epoch_end(self, epoch, logs=None):
        optimizer = self.model.optimizer
        # Keras wraps the optimizer for losses that it scales.
        optimizer = getattr(optimizer, "inner_optimizer", optimizer)
        if not hasattr(optimizer, "flush"):
            raise ValueError(
                "FlushGradients needs an optimizer of bert4keras3.optimizers, see "
                f"with_rules. Received: {type(optimizer).__name__}"
            )
        optimizer.flush()
