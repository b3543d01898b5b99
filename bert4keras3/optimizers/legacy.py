"""bert4keras's `extend_with_*`: optimizer classes with more arguments.

Each factory takes an optimizer class, of this package or of Keras, and returns a
class with the old keyword arguments. They can be put over one another in any order;
what is wrapped first transforms the update first. The rules are in
docs/optimizers.md, with what differs from the original.
"""

import functools
import math
import re

import keras
from keras import ops

from bert4keras3.backend import piecewise_linear, updates
from bert4keras3.optimizers.extensions import (
    ExponentialMovingAverage,
    LayerAdaptation,
    Lookahead,
)
from bert4keras3.optimizers.rulebook import matches, pattern_list
from bert4keras3.optimizers.rules import decayed, with_rules
from bert4keras3.optimizers.schedules import checked_points


class WeightDecay:
    """new -= lr * weight_decay_rate * p, as a part of the wrapped class's own decay."""

    def __init__(
        self, *args, weight_decay_rate=0.01, exclude_from_weight_decay=None, **kwargs
    ):
        super().__init__(*args, **kwargs)
        self.weight_decay_rate = weight_decay_rate
        self._decay_exclusions = pattern_list(
            exclude_from_weight_decay, "exclude_from_weight_decay"
        )

    def build(self, variables):
        if self.built:
            return
        paths = [one.path for one in variables]
        out = matches(self._decay_exclusions, paths, "exclude_from_weight_decay")
        self._not_decayed = frozenset(
            path for path, excluded in zip(paths, out, strict=True) if excluded
        )
        super().build(variables)

    def _extra_decay_of(self, variable):
        excluded = variable.path in self._not_decayed
        return 0.0 if excluded else float(self.weight_decay_rate)

    def _decay_of(self, variable):
        inner = super()._decay_of(variable) or 0.0
        return inner + self._extra_decay_of(variable)

    def get_config(self):
        return {
            **super().get_config(),
            "weight_decay_rate": self.weight_decay_rate,
            "exclude_from_weight_decay": list(self._decay_exclusions),
        }


class OuterWeightDecay(WeightDecay):
    """The same over a class that transforms its update, which decay must not enter."""

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self._outer_decays = tuple(map(self._extra_decay_of, variables))

    def _decay_of(self, variable):
        return super(WeightDecay, self)._decay_of(variable)

    def update_step(self, gradient, variable, learning_rate):
        place = self._get_variable_index(variable)
        decay = self._outer_decays[place] * self._settings_of(variable)["decay"]
        lost = decayed(variable, self._rate_of(variable, learning_rate), decay)
        super().update_step(gradient, variable, learning_rate)
        if lost is not None:
            self.assign_sub(variable, lost)


class ListedAdaptation(LayerAdaptation):
    """Layer adaptation, except for what a list of regexes finds."""

    def __init__(self, *args, exclude_from_layer_adaptation=None, **kwargs):
        super().__init__(*args, **kwargs)
        self.exclude_from_layer_adaptation = pattern_list(
            exclude_from_layer_adaptation, "exclude_from_layer_adaptation"
        )

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self._not_adapted = tuple(
            matches(
                self.exclude_from_layer_adaptation,
                [one.path for one in variables],
                "exclude_from_layer_adaptation",
            )
        )

    def _adapts(self, variable):
        listed = self._not_adapted[self._get_variable_index(variable)]
        return super()._adapts(variable) and not listed

    def get_config(self):
        excluded = list(self.exclude_from_layer_adaptation)
        return {**super().get_config(), "exclude_from_layer_adaptation": excluded}


class PiecewiseLinearRate:
    """lr times a factor, linear between the points of `lr_schedule`."""

    def __init__(self, *args, lr_schedule=None, **kwargs):
        super().__init__(*args, **kwargs)
        points = {0: 1} if lr_schedule is None else lr_schedule
        self._lr_schedule = tuple(checked_points(points).items())

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        factor = piecewise_linear(self._schedule_step(), dict(self._lr_schedule))
        learning_rate = ops.cast(learning_rate, "float32") * factor
        super()._backend_update_step(grads, trainable_variables, learning_rate)

    def get_config(self):
        points = {str(step): value for step, value in self._lr_schedule}
        return {**super().get_config(), "lr_schedule": points}


class MicroStepAccumulation:
    """Accumulation under its old name; `lr_schedule` keeps counting micro-batches."""

    def __init__(self, *args, grad_accum_steps=2, **kwargs):
        if "gradient_accumulation_steps" in kwargs:
            raise ValueError(
                "Give grad_accum_steps or gradient_accumulation_steps, not both."
            )
        super().__init__(*args, gradient_accumulation_steps=grad_accum_steps, **kwargs)
        self.grad_accum_steps = grad_accum_steps

    def _schedule_step(self):
        return self._iterations + 1

    def get_config(self):
        config = {**super().get_config(), "grad_accum_steps": self.grad_accum_steps}
        del config["gradient_accumulation_steps"]
        return config


class ZeroRowsStay:
    """Rows (last axis) whose gradient is all zero keep their value.

    Their moments go on. The setting "lazy" of `rules` leaves these alone too and is
    several times as fast.
    """

    def __init__(self, *args, include_in_lazy_optimization=None, **kwargs):
        super().__init__(*args, **kwargs)
        self.include_in_lazy_optimization = pattern_list(
            include_in_lazy_optimization, "include_in_lazy_optimization"
        )

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self._zero_rows_stay = tuple(
            matches(
                self.include_in_lazy_optimization,
                [one.path for one in variables],
                "include_in_lazy_optimization",
            )
        )

    def update_step(self, gradient, variable, learning_rate):
        if not self._zero_rows_stay[self._get_variable_index(variable)]:
            super().update_step(gradient, variable, learning_rate)
            return
        old = updates.snapshot(variable)
        super().update_step(gradient, variable, learning_rate)
        active = ops.any(gradient != 0, axis=-1, keepdims=True)
        self.assign(variable, ops.where(active, updates.value_of(variable), old))

    def get_config(self):
        included = list(self.include_in_lazy_optimization)
        return {**super().get_config(), "include_in_lazy_optimization": included}


class ParameterWiseRate:
    """lr times the product of all values whose key is a part of the variable's path."""

    def __init__(self, *args, paramwise_lr_schedule=None, **kwargs):
        super().__init__(*args, **kwargs)
        self._path_factors = tuple(dict(paramwise_lr_schedule or {}).items())

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        for part, _ in self._path_factors:
            paths = [one.path for one in variables]
            matches([re.escape(part)], paths, "paramwise_lr_schedule")
        self._rate_factors = tuple(
            math.prod(value for part, value in self._path_factors if part in one.path)
            for one in variables
        )

    def _factor_of(self, variable):
        own = self._rate_factors[self._get_variable_index(variable)]
        return super()._factor_of(variable) * own

    def get_config(self):
        return {
            **super().get_config(),
            "paramwise_lr_schedule": dict(self._path_factors),
        }


@functools.cache
def _extended(mixin, base, name):
    base = with_rules(base)
    kind = WeightDecay if mixin is OuterWeightDecay else mixin
    if issubclass(base, (kind, kind.__mro__[-2])):
        raise ValueError(f"{base.__name__} has {kind.__name__} already.")
    made = type(name or mixin.__name__ + base.__name__, (mixin, base), {})
    keras.saving.register_keras_serializable("bert4keras3")(made)
    if name:
        keras.saving.get_custom_objects()[name] = made
    return made


def extend_with_weight_decay(BaseOptimizer, name=None):  # noqa: N803
    """Decoupled weight decay: `weight_decay_rate=0.01`, `exclude_from_weight_decay`."""
    transforms = (LayerAdaptation, ZeroRowsStay)
    outer = isinstance(BaseOptimizer, type) and issubclass(BaseOptimizer, transforms)
    return _extended(OuterWeightDecay if outer else WeightDecay, BaseOptimizer, name)


def extend_with_layer_adaptation(BaseOptimizer, name=None):  # noqa: N803
    """LAMB's trust ratio: `exclude_from_layer_adaptation`."""
    return _extended(ListedAdaptation, BaseOptimizer, name)


def extend_with_piecewise_linear_lr(BaseOptimizer, name=None):  # noqa: N803
    """A factor on the learning rate: `lr_schedule={0: 1}`, linear between points."""
    return _extended(PiecewiseLinearRate, BaseOptimizer, name)


def extend_with_gradient_accumulation(BaseOptimizer, name=None):  # noqa: N803
    """The mean gradient of `grad_accum_steps=2` batches makes one update.

    The keys of `lr_schedule` count batches, as in published scripts; everything else
    counts updates.
    """
    return _extended(MicroStepAccumulation, BaseOptimizer, name)


def extend_with_lookahead(BaseOptimizer, name=None):  # noqa: N803
    """Lookahead: `steps_per_slow_update=5`, `slow_step_size=0.5`."""
    return _extended(Lookahead, BaseOptimizer, name)


def extend_with_lazy_optimization(BaseOptimizer, name=None):  # noqa: N803
    """Rows without gradient keep their value: `include_in_lazy_optimization`."""
    return _extended(ZeroRowsStay, BaseOptimizer, name)


def extend_with_exponential_moving_average(BaseOptimizer, name=None):  # noqa: N803
    """An average of the weights: `ema_momentum=0.999`.

    Methods `apply_ema_weights(bias_correction=True)` and `reset_old_weights()`.
    """
    return _extended(ExponentialMovingAverage, BaseOptimizer, name)


def extend_with_parameter_wise_lr(BaseOptimizer, name=None):  # noqa: N803
    """Factors on the learning rate by parts of paths: `paramwise_lr_schedule`."""
    return _extended(ParameterWiseRate, BaseOptimizer, name)
