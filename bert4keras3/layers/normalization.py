"""Scale and offset, layer normalisation: plain, root-mean-square, conditional."""

import numbers

import keras
import numpy as np
from keras import ops

from bert4keras3.backend import runtime
from bert4keras3.backend.activations import activation_name, get_activation
from bert4keras3.layers.base import Layer, fresh, register


@register
class ScaleOffset(Layer):
    """x * gamma + beta along the last axis, optionally steered by a condition.

    scale, offset: True for a trained vector, a number or array for a constant,
    False or None for none. conditional: inputs are [x: (B, ..., D), c: (B, C)] and
    gamma, beta get zero-initialised linear functions of c added
    (https://kexue.fm/archives/7124); hidden_units puts a bias-free dense layer with
    hidden_activation in front of them. Weights in order: beta, gamma, then dense.
    """

    def __init__(
        self,
        scale=True,
        offset=True,
        conditional=False,
        hidden_units=None,
        hidden_activation="linear",
        hidden_initializer="glorot_uniform",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.scale = scale
        self.offset = offset
        self.conditional = conditional
        self.hidden_units = hidden_units
        self.hidden_activation = activation_name(hidden_activation)
        self.hidden_initializer = keras.initializers.get(hidden_initializer)

    def build(self, input_shape):
        size = input_shape[0][-1] if self.conditional else input_shape[-1]
        if self.offset is True:
            self.beta = self.add_weight(name="beta", shape=(size,), initializer="zeros")
        if self.scale is True:
            self.gamma = self.add_weight(
                name="gamma", shape=(size,), initializer="ones"
            )
        if self.conditional:
            self._build_conditional(size, input_shape[1])

    def _build_conditional(self, size, shape):
        if self.hidden_units is not None:
            self.hidden_dense = keras.layers.Dense(
                self.hidden_units,
                activation=get_activation(self.hidden_activation),
                use_bias=False,
                kernel_initializer=fresh(self.hidden_initializer),
                name="hidden_dense",
                dtype=self.dtype_policy,
            )
            self.hidden_dense.build(shape)
            shape = (*shape[:-1], self.hidden_units)
        for kind in ("offset", "scale"):
            if _present(getattr(self, kind)):
                name = {"offset": "beta_dense", "scale": "gamma_dense"}[kind]
                dense = keras.layers.Dense(
                    size,
                    use_bias=False,
                    kernel_initializer="zeros",
                    name=name,
                    dtype=self.dtype_policy,
                )
                dense.build(shape)
                setattr(self, name, dense)

    def call(self, inputs):
        x, condition = inputs if self.conditional else (inputs, None)
        return ops.cast(self.transform(x, condition), self.compute_dtype)

    def transform(self, x, condition=None):
        """Apply scale and offset to `x: (B, ..., D)` in the dtype of `x`."""
        if condition is not None:
            if self.hidden_units is not None:
                condition = self.hidden_dense(condition)
            for _ in range(len(x.shape) - len(condition.shape)):
                condition = ops.expand_dims(condition, 1)
        if _present(self.scale):
            x = x * self._coefficient("gamma", self.scale, condition, x.dtype)
        if _present(self.offset):
            x = x + self._coefficient("beta", self.offset, condition, x.dtype)
        return x

    def _coefficient(self, name, given, condition, dtype):
        value = getattr(self, name) if given is True else np.asarray(given)
        value = ops.cast(value, dtype)
        if condition is None:
            return value
        return value + ops.cast(getattr(self, name + "_dense")(condition), dtype)

    def compute_mask(self, inputs, mask=None):
        return mask[0] if self.conditional and mask is not None else mask

    def compute_output_spec(self, inputs):
        x = inputs[0] if self.conditional else inputs
        return keras.KerasTensor(x.shape, dtype=self.compute_dtype)


def _present(value):
    if value is None or isinstance(value, bool):
        return bool(value)
    return isinstance(value, numbers.Number) or np.size(value) > 0


@register
class LayerNormalization(ScaleOffset):
    """Layer normalisation with every part optional, statistics in float32.

    zero_mean: subtract the mean (False gives RMSNorm,
    https://arxiv.org/abs/1910.07467); unit_variance: divide by
    sqrt(mean(x^2) + epsilon), epsilon 1e-7 by default; the rest as in ScaleOffset.
    """

    def __init__(self, zero_mean=True, unit_variance=True, epsilon=None, **kwargs):
        super().__init__(**kwargs)
        self.zero_mean = zero_mean
        self.unit_variance = unit_variance
        self.epsilon = keras.config.epsilon() if epsilon is None else float(epsilon)

    def call(self, inputs):
        x, condition = inputs if self.conditional else (inputs, None)
        x = ops.cast(x, "float32") if self.compute_dtype != "float64" else x
        if self._kernel_fits():
            x = runtime.layer_norm(x, self.gamma, self.beta, self.epsilon)
            return ops.cast(x, self.compute_dtype)
        if self.zero_mean:
            x = x - ops.mean(x, axis=-1, keepdims=True)
        if self.unit_variance:
            variance = ops.mean(ops.square(x), axis=-1, keepdims=True)
            x = x * ops.rsqrt(variance + self.epsilon)
        return ops.cast(self.transform(x, condition), self.compute_dtype)

    def _kernel_fits(self):
        plain = self.zero_mean and self.unit_variance and not self.conditional
        affine = self.scale is True and self.offset is True
        return runtime.BACKEND == "torch" and plain and affine
