"""Optimizers that move by the sign of a momentum: Lion and Tiger."""

import re

import keras
from keras import ops

from bert4keras3.backend import updates
from bert4keras3.optimizers.rules import Rules

register = keras.saving.register_keras_serializable(package="bert4keras3")


@register
class Lion(Rules, keras.optimizers.Lion):
    """Lion (https://arxiv.org/abs/2302.06675) with bert4keras's defaults.

    u = sign(b1 * m + (1 - b1) * g), p -= lr * u, m = b2 * m + (1 - b2) * g. Arguments
    as in Keras, and `rules`.
    """

    def __init__(self, learning_rate=3e-4, beta_1=0.95, beta_2=0.98, **kwargs):
        super().__init__(learning_rate, beta_1, beta_2, **kwargs)


@register
class Tiger(Rules, keras.optimizers.Optimizer):
    """Tiger: sign momentum with one moment (https://kexue.fm/archives/9512).

    m = beta * m + (1 - beta) * g, p -= s * (sign(m) + weight_decay * p). The step s
    is lr * rms(p) for a matrix, lr * rms(row) for each row of an embedding table, and
    lr / 2, without decay, for what is called bias, beta or gamma. A matrix of zeros
    never moves: give it another optimizer or another start.
    Where a gradient holds NaN the moment stays and the variable shrinks by
    `shrink_ratio`, gamma towards 1.
    """

    def __init__(
        self,
        learning_rate=1e-3,
        beta=0.965,
        weight_decay=0.01,
        shrink_ratio=0.99,
        **kwargs,
    ):
        super().__init__(learning_rate, weight_decay=weight_decay, **kwargs)
        self.beta = beta
        self.shrink_ratio = shrink_ratio

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self._momentums = self.add_optimizer_variables(variables, "momentum")
        self._kinds = tuple(_kind(one.path) for one in variables)

    def _decay_of(self, variable):
        vector = _kind(variable.path) in ("offset", "gamma")
        return 0.0 if vector else super()._decay_of(variable)

    def update_step(self, gradient, variable, learning_rate):
        place = self._get_variable_index(variable)
        kind, kept = self._kinds[place], self._momentums[place]
        momentum = updates.value_of(kept)
        value = updates.value_of(variable)
        gradient = ops.cast(gradient, value.dtype)
        bad = ops.any(ops.isnan(gradient))
        moment = self.beta * momentum + (1.0 - self.beta) * gradient
        moment = ops.where(bad, momentum, moment)
        size = self._rate_of(variable, learning_rate) * _length(value, kind)
        moved = value - size * (ops.sign(moment) + self._decays[place] * value)
        center = 1.0 if kind == "gamma" else 0.0
        shrunk = (value - center) * self.shrink_ratio + center
        self.assign(kept, moment)
        self.assign(variable, ops.where(bad, shrunk, moved))

    def get_config(self):
        return {
            **super().get_config(),
            "beta": self.beta,
            "shrink_ratio": self.shrink_ratio,
        }


def _kind(path):
    if "gamma" in path:
        return "gamma"
    if re.search("bias|beta", path):
        return "offset"
    return "table" if "embeddings" in path else "matrix"


def _length(value, kind):
    """What the learning rate is multiplied by."""
    if kind in ("gamma", "offset"):
        return 0.5
    axis = -1 if kind == "table" else None
    return ops.sqrt(ops.mean(ops.square(value), axis=axis, keepdims=True))
