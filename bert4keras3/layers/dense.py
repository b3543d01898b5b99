"""Dense layer that adds its bias inside the matrix product where the backend can."""

import keras

from bert4keras3.backend import runtime
from bert4keras3.layers.base import fresh, register


@register
class Dense(keras.layers.Dense):
    """`keras.layers.Dense`; on torch, product and bias are one kernel call."""

    def call(self, inputs, training=None):
        plain = self.bias is not None and not self.lora_enabled
        if runtime.BACKEND != "torch" or not plain or self.quantization_mode:
            return super().call(inputs, training=training)
        x = runtime.linear(inputs, self.kernel, self.bias)
        return x if self.activation is None else self.activation(x)


def inner_dense(layer, units, name, shape, **arguments):
    """A built Dense inside `layer`: its policy, and its kernel initializer anew.

    shape: of the inputs; arguments: of Dense, use_bias as the layer's by default.
    """
    arguments = {"use_bias": layer.use_bias, **arguments}
    dense = Dense(
        units,
        kernel_initializer=fresh(layer.kernel_initializer),
        name=name,
        dtype=layer.dtype_policy,
        **arguments,
    )
    dense.build(shape)
    return dense
