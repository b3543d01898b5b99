"""Dense layer that adds its bias inside the matrix product where the backend can."""

import keras

from bert4keras3.backend import runtime
from bert4keras3.layers.base import register


@register
class Dense(keras.layers.Dense):
    """`keras.layers.Dense`; on torch, product and bias are one kernel call."""

    def call(self, inputs, training=None):
        plain = self.bias is not None and not self.lora_enabled
        if runtime.BACKEND != "torch" or not plain or self.quantization_mode:
            return super().call(inputs, training=training)
        x = runtime.linear(inputs, self.kernel, self.bias)
        return x if self.activation is None else self.activation(x)
