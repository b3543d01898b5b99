"""Dense layer that adds its bias inside the matrix product where the backend can."""

import keras
import numpy as np
from keras import ops

from bert4keras3.backend import runtime
from bert4keras3.layers.adapters import Adapted
from bert4keras3.layers.base import fresh, register


@register
class Dense(Adapted, keras.layers.Dense):
    """`keras.layers.Dense`; on torch, product and bias are one kernel call.

    `enable_lora(rank, lora_alpha)` is Keras's, but the layer then computes
    x W + b + lora_alpha / rank * (x A) B (https://arxiv.org/abs/2106.09685) from left
    to right: Keras adds A B to W first, whose gradient costs as much as that of W.
    """

    def call(self, inputs, training=None):
        if self.quantization_mode:
            return super().call(inputs, training=training)
        if runtime.BACKEND == "torch" and self.bias is not None:
            x = runtime.linear(inputs, self._kernel, self.bias)
        else:
            x = ops.matmul(inputs, self._kernel)
            x = x if self.bias is None else ops.add(x, self.bias)
        if self.lora_enabled:
            low = ops.matmul(inputs, self.lora_kernel_a)
            x = x + self.lora_scale * ops.matmul(low, self.lora_kernel_b)
        return x if self.activation is None else self.activation(x)

    # --- see Adapted -----------------------------------------------------------

    @property
    def adapter_names(self):
        return ("lora_kernel_a", "lora_kernel_b") if self.lora_enabled else ()

    @property
    def frozen_weight(self):
        return self._kernel

    @property
    def lora_scale(self):
        """What A B is multiplied with."""
        return float(self.lora_alpha) / self.lora_rank

    def own_weights(self):
        return [self._kernel] if self.bias is None else [self._kernel, self.bias]

    def enable_lora(self, rank, lora_alpha=None, **initializers):
        """See `keras.layers.Dense.enable_lora`."""
        with self.beside_weight():
            super().enable_lora(rank, lora_alpha, **initializers)

    def merged(self, lora_kernel_a, lora_kernel_b, lora_scale=None):
        scale = self.lora_scale if lora_scale is None else float(lora_scale)
        low_rank = ops.matmul(
            ops.convert_to_tensor(lora_kernel_a), ops.convert_to_tensor(lora_kernel_b)
        )
        return ops.cast(self._kernel, "float32") + scale * low_rank

    def adapter_settings(self):
        return {"lora_scale": np.float64(self.lora_scale)}

    def reset_adapter(self):
        self.lora_kernel_b.assign(ops.zeros(self.lora_kernel_b.shape))

    def drop_adapter(self):
        for variable in self.adapter.values():
            self._untrack_variable(variable)  # `del` would collect garbage each time
        self.lora_kernel_a = self.lora_kernel_b = None
        self.lora_enabled, self.lora_rank, self.lora_alpha = False, None, None

    def get_config(self):
        # A file of the whole model is read back without additions, merged.
        config = super().get_config()
        return {k: v for k, v in config.items() if k not in ("lora_rank", "lora_alpha")}


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
