"""Adam and its relatives: bert4keras's Adam, AdamW, LAMB."""

import math

import keras
import numpy as np
from keras import ops

from bert4keras3.backend import runtime, updates
from bert4keras3.backend.rows import Rows
from bert4keras3.optimizers.extensions import LayerAdaptation
from bert4keras3.optimizers.rules import Rules

register = keras.saving.register_keras_serializable(package="bert4keras3")
UNCORRECTED = 10**9  # a step at which the bias corrections of Adam are 1


class AdamBase(Rules):
    """What optimizers on Adam's two moments share: one pass on torch, lazy rows.

    With the setting "lazy" only rows of a table whose gradient is not all zero are
    touched: value, moments and weight decay.
    """

    SETTINGS = (*Rules.SETTINGS, "lazy")

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        for variable, settings in zip(variables, self._settings.value, strict=True):
            if settings["lazy"] and (len(variable.shape) < 2 or self.amsgrad):
                raise ValueError(
                    "The setting lazy needs a variable of rank 2 or more, and no "
                    f"amsgrad. Received: {variable.path} of shape {variable.shape}"
                )

    def _betas(self):
        return self.beta_1, self.beta_2

    def _corrections(self):
        """(c1, c2) by which the moments are divided, float32 scalars."""
        step = ops.cast(self.iterations, "float32") + 1.0
        # expm1 keeps the digits that 1 - beta ** step loses.
        return tuple(-ops.expm1(step * math.log(beta)) for beta in self._betas())

    def _scales(self, rate):
        """(a, e) of the update a * m / (sqrt(v) + e), scalars of the rate's dtype."""
        c1, c2 = self._corrections()
        return rate * ops.cast(ops.sqrt(c2) / c1, rate.dtype), self.epsilon

    def takes_rows(self, variable):
        """Whether a gradient of this variable may be `Rows`: where it is lazy."""
        return self._settings_of(variable)["lazy"]

    def _accepted(self, grad, variable):
        clips = self.clipnorm or self.global_clipnorm or self.clipvalue
        whole = clips or self.accumulation_steps or not self._is_plain()
        if isinstance(grad, Rows) and self.takes_rows(variable) and not whole:
            return grad
        return super()._accepted(grad, variable)

    def update_step(self, gradient, variable, learning_rate):
        if self.takes_rows(variable):
            self._update_rows(gradient, variable, learning_rate)
        else:
            super().update_step(gradient, variable, learning_rate)

    def _update_rows(self, gradient, variable, learning_rate):
        place = self._get_variable_index(variable)
        rate = self._rate_of(variable, learning_rate)
        scales = (*self._scales(rate), rate * self._decays[place])
        tables = (variable, self._momentums[place], self._velocities[place])
        updates.update_rows(self._row_step, gradient, tables, scales)

    def _row_step(self, gradient, tables, scales):
        value, mean, variance = tables
        size, epsilon, decay = scales
        beta_1, beta_2 = self._betas()
        gradient = ops.cast(gradient, value.dtype)
        mean = mean + (gradient - mean) * (1.0 - beta_1)
        variance = variance + (ops.square(gradient) - variance) * (1.0 - beta_2)
        moved = size * mean / (ops.sqrt(variance) + epsilon)
        return value - moved - decay * value, mean, variance

    def _is_plain(self):
        """Whether no extension changes the update."""
        return type(self).update_step is AdamBase.update_step

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        left = []
        for grad, variable in zip(grads, trainable_variables, strict=True):
            if isinstance(grad, Rows):  # which tensorflow's own step does not pass on
                self.update_step(grad, variable, learning_rate)
            else:
                left.append((grad, variable))
        if not left:
            return
        if runtime.BACKEND == "torch" and self._is_plain() and not self.amsgrad:
            self._fused_update(left, learning_rate)
            return
        grads, variables = map(list, zip(*left, strict=True))
        super()._backend_update_step(grads, variables, learning_rate)

    def _fused_update(self, pairs, learning_rate):
        groups = {}
        for grad, variable in pairs:
            if self.takes_rows(variable):
                self.update_step(grad, variable, learning_rate)
                continue
            decay = self._decays[self._get_variable_index(variable)]
            kind = (self._factor_of(variable), decay)
            groups.setdefault(kind, []).append((variable, grad))
        for (factor, decay), chosen in groups.items():
            self._fused_step(chosen, float(learning_rate) * factor, decay)

    def _fused_step(self, chosen, learning_rate, decay):
        step, epsilon = self._fused_settings()
        places = [self._get_variable_index(variable) for variable, _ in chosen]
        runtime.fused_adamw(
            [variable for variable, _ in chosen],
            [grad for _, grad in chosen],
            [self._momentums[i] for i in places],
            [self._velocities[i] for i in places],
            step=step,
            learning_rate=learning_rate,
            betas=self._betas(),
            epsilon=epsilon,
            weight_decay=decay,
        )

    def _fused_settings(self):
        """(step, epsilon on the corrected root) for torch's kernel.

        Keras adds epsilon to the uncorrected root; scaling it makes both the same.
        """
        step = int(self.iterations) + 1
        return step, self.epsilon / (1.0 - self.beta_2**step) ** 0.5


@register
class AdamW(AdamBase, keras.optimizers.AdamW):
    """AdamW (https://arxiv.org/abs/1711.05101), equal to `keras.optimizers.AdamW`.

    Arguments as there, and `rules` (also "lazy"). On torch the update is one fused
    pass, where Keras walks over weights, gradients and both moments a dozen times.
    """


class _AdamNumbers(keras.optimizers.Adam):
    """The update of bert4keras's Adam: epsilon on the corrected root."""

    def update_step(self, gradient, variable, learning_rate):
        place = self._get_variable_index(variable)
        tables = (variable, self._momentums[place], self._velocities[place])
        values = [updates.value_of(one) for one in tables]
        scales = (*self._scales(learning_rate), 0.0)
        for table, value in zip(
            tables, self._row_step(gradient, values, scales), strict=True
        ):
            self.assign(table, value)


@register
class Adam(AdamBase, _AdamNumbers):
    """bert4keras's Adam: p -= lr * m' / (sqrt(v') + epsilon).

    m' and v' are the moments over their bias corrections, or the moments themselves
    without `bias_correction` (as in BERT's own code). Keras's Adam adds epsilon to the
    uncorrected root instead. Further arguments as in Keras, and `rules` (also "lazy").
    """

    def __init__(
        self,
        learning_rate=0.001,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-6,
        bias_correction=True,
        **kwargs,
    ):
        if kwargs.pop("amsgrad", False):
            raise ValueError("This Adam has no amsgrad; keras.optimizers.Adam has.")
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **kwargs)
        self.bias_correction = bias_correction

    def _betas(self):
        # As in the original, where 1 - beta was computed in float32: 5e-5 of 0.001.
        return tuple(float(np.float32(beta)) for beta in super()._betas())

    def _scales(self, rate):
        if not self.bias_correction:
            return rate, self.epsilon
        size, epsilon = super()._scales(rate)
        _, c2 = self._corrections()
        return size, epsilon * ops.cast(ops.sqrt(c2), rate.dtype)

    def _fused_settings(self):
        step = int(self.iterations) + 1 if self.bias_correction else UNCORRECTED
        return step, self.epsilon

    def get_config(self):
        config = {**super().get_config(), "bias_correction": self.bias_correction}
        del config["amsgrad"]
        return config


@register
class Lamb(LayerAdaptation, Adam):
    """LAMB (https://arxiv.org/abs/1904.00962): Adam's step, as long as the weights.

    Each variable moves by lr * |p| / |d| * d, where d is Adam's direction with weight
    decay. The setting "adapt" of `rules` False gives a variable Adam's plain step, as
    is usual for biases and norms. For batches of thousands.
    """

    SETTINGS = (*Rules.SETTINGS, "adapt")

    def __init__(self, learning_rate=0.001, weight_decay=0.01, **kwargs):
        super().__init__(learning_rate, weight_decay=weight_decay, **kwargs)
