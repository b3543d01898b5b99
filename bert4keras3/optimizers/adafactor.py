"""bert4keras's AdaFactor."""

import keras
import numpy as np
from keras import ops

from bert4keras3.backend import updates
from bert4keras3.optimizers.rulebook import matches, pattern_list
from bert4keras3.optimizers.rules import Rules


class _AdaFactorNumbers(keras.optimizers.Optimizer):
    """The update of AdaFactor, without rules."""

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self._axes = tuple(self._factored_axes(one.shape) for one in variables)
        moments = zip(variables, self._axes, strict=True)
        self._squares = [self._second_moments(*one) for one in moments]
        if self.beta1 > 0:
            self._momentums = self.add_optimizer_variables(variables, "momentum")

    def _factored_axes(self, shape):
        """The two longest axes (longest last), None where all squares are kept."""
        if len(shape) < 2:
            return None
        axes = tuple(int(axis) for axis in np.argpartition(shape, -2)[-2:])
        return axes if shape[axes[0]] >= self.min_dim_size_to_factor else None

    def _second_moments(self, variable, axes):
        if axes is None:
            return [self.add_variable_from_reference(variable, "velocity")]
        shapes = [list(variable.shape), list(variable.shape)]
        shapes[0][axes[1]] = shapes[1][axes[0]] = 1
        stem = variable.path.replace("/", "_")
        return [
            self.add_variable(shape, dtype=variable.dtype, name=f"{stem}_{name}")
            for shape, name in zip(shapes, ("row", "column"), strict=True)
        ]

    def update_step(self, gradient, variable, learning_rate):
        place = self._get_variable_index(variable)
        value = updates.value_of(variable)
        gradient = ops.cast(gradient, value.dtype)
        variance = self._variance(ops.square(gradient) + self.epsilon1, place)
        step = gradient * ops.rsqrt(variance + self.epsilon1)
        if self.clipping_threshold is not None:
            step = step / ops.maximum(1.0, _rms(step) / self.clipping_threshold)
        if self.beta1 > 0:
            moment = self._momentums[place]
            step = self.beta1 * moment + (1.0 - self.beta1) * step
            self.assign(moment, step)
        if self._scaled[place]:
            step = step * ops.maximum(_rms(value), self.epsilon2)
        self.assign_sub(variable, learning_rate * step)

    def _variance(self, squares, place):
        """The moving second moment, from its factors where there are some."""
        kept, axes = self._squares[place], self._axes[place]
        beta2 = ops.cast(self._beta2(), squares.dtype)
        if axes is None:
            self.assign(kept[0], beta2 * kept[0] + (1.0 - beta2) * squares)
            return updates.value_of(kept[0])
        for one, axis in zip(kept, reversed(axes), strict=True):
            mean = ops.mean(squares, axis=axis, keepdims=True)
            self.assign(one, beta2 * one + (1.0 - beta2) * mean)
        row, column = (updates.value_of(one) for one in kept)
        return row * column / ops.mean(row, axis=axes[0], keepdims=True)

    def _beta2(self):
        if self.beta2 is not None:
            return self.beta2
        return 1.0 - ops.power(ops.cast(self.iterations, "float32") + 1.0, -0.8)


def _rms(x):
    return ops.sqrt(ops.mean(ops.square(x)))


@keras.saving.register_keras_serializable(package="bert4keras3")
class AdaFactor(Rules, _AdaFactorNumbers):
    """AdaFactor (https://arxiv.org/abs/1804.04235) as bert4keras computes it.

    The second moments of a matrix are kept as a row and a column; the step is clipped
    to the length `clipping_threshold` (root mean square) and multiplied by the length
    of the variable, at least epsilon2.

    learning_rate: a number, a schedule, or None for min(0.01, 1 / sqrt(t)), times 0.05
    without parameter scale; beta1: momentum of the clipped steps, 0 for none; beta2:
    decay of the second moments, None for 1 - t ** -0.8; min_dim_size_to_factor: how
    long the second longest axis must be to be factored; exclude_from_parameter_scale:
    regexes of variables whose length does not count, as the setting "scale" False of
    `rules` does.
    """

    SETTINGS = (*Rules.SETTINGS, "scale")

    def __init__(
        self,
        learning_rate=1e-3,
        beta1=0.0,
        beta2=None,
        epsilon1=1e-30,
        epsilon2=1e-3,
        multiply_by_parameter_scale=True,
        clipping_threshold=1.0,
        min_dim_size_to_factor=128,
        exclude_from_parameter_scale=None,
        **kwargs,
    ):
        rate = self._own_rate if learning_rate is None else learning_rate
        super().__init__(rate, **kwargs)
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon1 = epsilon1
        self.epsilon2 = epsilon2
        self.multiply_by_parameter_scale = multiply_by_parameter_scale
        self.clipping_threshold = clipping_threshold
        self.min_dim_size_to_factor = min_dim_size_to_factor
        self.exclude_from_parameter_scale = pattern_list(
            exclude_from_parameter_scale, "exclude_from_parameter_scale"
        )

    def _own_rate(self):
        step = ops.cast(self.iterations, "float32") + 1.0
        rate = ops.minimum(ops.rsqrt(step), 0.01)
        return rate if self.multiply_by_parameter_scale else 0.05 * rate

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        excluded = matches(
            self.exclude_from_parameter_scale,
            [one.path for one in variables],
            "exclude_from_parameter_scale",
        )
        pairs = zip(self._settings.value, excluded, strict=True)
        self._scaled = tuple(
            self.multiply_by_parameter_scale and settings["scale"] and not is_excluded
            for settings, is_excluded in pairs
        )

    def get_config(self):
        config = super().get_config()
        if getattr(self._learning_rate, "__func__", None) is AdaFactor._own_rate:
            config["learning_rate"] = None
        names = (
            "beta1",
            "beta2",
            "epsilon1",
            "epsilon2",
            "multiply_by_parameter_scale",
            "clipping_threshold",
            "min_dim_size_to_factor",
        )
        config.update((name, getattr(self, name)) for name in names)
        excluded = list(self.exclude_from_parameter_scale)
        return {**config, "exclude_from_parameter_scale": excluded}
