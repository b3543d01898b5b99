"""Mixins that change what an optimizer's update does, for any class with `Rules`."""

from keras import ops

from bert4keras3.backend import updates
from bert4keras3.backend.untracked import Untracked
from bert4keras3.optimizers.accumulation import check_readable


class LayerAdaptation:
    """Mixin: scale each update to the length of its variable, LAMB's trust ratio.

    new = p + ratio * delta, ratio = lr * |p| / |delta|, 1 where a norm is 0
    (https://arxiv.org/abs/1904.00962). Not for the setting "adapt" False.
    """

    def _adapts(self, variable):
        return self._settings_of(variable)["adapt"]

    def update_step(self, gradient, variable, learning_rate):
        if not self._adapts(variable):
            super().update_step(gradient, variable, learning_rate)
            return
        old = updates.snapshot(variable)
        super().update_step(gradient, variable, learning_rate)
        delta = updates.value_of(variable) - old
        rate = ops.maximum(self._rate_of(variable, learning_rate), 1e-7)
        weight, moved = _norm(old), _norm(delta) / rate
        moves = ops.logical_and(weight > 0, moved > 0)
        ratio = weight / ops.where(moves, moved, ops.ones_like(moved))
        ratio = ops.where(moves, ratio, ops.ones_like(ratio))
        self.assign(variable, old + ratio * delta)


def _norm(x):
    return ops.sqrt(ops.sum(ops.square(x)))


class Lookahead:
    """Mixin: every k updates go only a part of the way (https://arxiv.org/abs/1907.08610).

    After each `steps_per_slow_update` updates slow += slow_step_size * (p - slow) and
    p = slow; slow starts as p.
    """

    def __init__(self, *args, steps_per_slow_update=5, slow_step_size=0.5, **kwargs):
        if steps_per_slow_update < 1 or not 0 < slow_step_size <= 1:
            raise ValueError(
                "Lookahead expects steps_per_slow_update >= 1 and 0 < slow_step_size "
                f"<= 1. Received: {steps_per_slow_update!r}, {slow_step_size!r}"
            )
        super().__init__(*args, **kwargs)
        self.steps_per_slow_update = steps_per_slow_update
        self.slow_step_size = slow_step_size

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self._slow = [self._copy_of(one) for one in variables]

    def _copy_of(self, variable):
        # For its `layout` Keras calls it as it is; else it would compile it, to make a
        # large value in parts, and cannot. The value lies as the variable does.
        def value(shape, dtype=None, layout=None):
            return updates.owned(variable)

        return self.add_variable_from_reference(variable, "slow", initializer=value)

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        super()._backend_update_step(grads, trainable_variables, learning_rate)
        places = [self._get_variable_index(one) for one in trainable_variables]
        slow = [self._slow[place] for place in places]
        fast = [self._trainable_variables[place] for place in places]
        count = updates.value_of(self.iterations) + 1
        now = ops.equal(count % self.steps_per_slow_update, 0)

        def synchronize():
            for one, other in zip(slow, fast, strict=True):
                updates.move_toward(one, other, self.slow_step_size)
                other.assign(updates.owned(one))

        updates.run_if(now, synchronize, [*slow, *fast])

    def get_config(self):
        return {
            **super().get_config(),
            "steps_per_slow_update": self.steps_per_slow_update,
            "slow_step_size": self.slow_step_size,
        }


class ExponentialMovingAverage:
    """Mixin: an average of the weights over the updates, to evaluate with.

    After each update average = m * average + (1 - m) * p from 0 on;
    `apply_ema_weights` divides by 1 - m ** updates.
    """

    def __init__(self, *args, ema_momentum=0.999, **kwargs):
        if kwargs.get("use_ema"):
            raise ValueError(
                "This optimizer averages on its own: leave out Keras's use_ema."
            )
        if not 0 <= ema_momentum < 1:
            raise ValueError(
                f"ema_momentum must be in [0, 1). Received: {ema_momentum!r}"
            )
        super().__init__(*args, **kwargs)
        self.ema_momentum = ema_momentum
        self._training_weights = None

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self._averages = self.add_optimizer_variables(variables, "average")

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        super()._backend_update_step(grads, trainable_variables, learning_rate)
        for variable, average in self._pairs():
            updates.move_toward(average, variable, 1.0 - self.ema_momentum)

    def apply_ema_weights(self, bias_correction=True):
        """Put the averages in the place of the weights, until `reset_old_weights`.

        Raises RuntimeError before the first update, when they are in place already,
        and where the weights cannot be read.
        """
        check_readable(self._iterations, "apply_ema_weights()")
        count = int(updates.value_of(self.iterations))
        if not self.built or count == 0:
            raise RuntimeError("apply_ema_weights() needs an update: train first.")
        if self._training_weights and self._training_weights[0] == count:
            raise RuntimeError(
                "The averages are in place already: call reset_old_weights() first."
            )
        share = 1.0 - self.ema_momentum**count if bias_correction else 1.0
        old = [updates.owned(variable) for variable in self._trainable_variables]
        self._training_weights = (count, Untracked(old))
        for variable, average in self._pairs():
            variable.assign(updates.owned(average) / share)

    def reset_old_weights(self):
        """Put back the weights that `apply_ema_weights` took away.

        Raises RuntimeError when there are none.
        """
        check_readable(self._iterations, "reset_old_weights()")
        if not self._training_weights:
            raise RuntimeError("reset_old_weights() follows apply_ema_weights().")
        kept = self._training_weights[1].value
        self._training_weights = None
        for variable, value in zip(self._trainable_variables, kept, strict=True):
            variable.assign(value)

    def _pairs(self):
        return zip(self._trainable_variables, self._averages, strict=True)

    def get_config(self):
        return {**super().get_config(), "ema_momentum": self.ema_momentum}
