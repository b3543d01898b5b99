"""The position-wise feed-forward network, plain or gated."""

import keras

from bert4keras3.backend.activations import activation_name, get_activation
from bert4keras3.layers.base import Layer, register
from bert4keras3.layers.dense import inner_dense


@register
class FeedForward(Layer):
    """Dense layers applied to each token: D -> units -> D.

    activation: a name, act(x W_i) W_o; or a list of names, the gated form
    act_0(x W_0) * act_1(x W_1) * ... W_o (https://arxiv.org/abs/2002.05202).
    Sub-layers: i0_dense, i1_dense, ..., o_dense.
    """

    def __init__(
        self,
        units,
        activation="relu",
        use_bias=True,
        kernel_initializer="glorot_uniform",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.units = units
        many = isinstance(activation, (list, tuple))
        self.activation = (
            [activation_name(one) for one in activation]
            if many
            else activation_name(activation)
        )
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape):
        names = self.activation
        self._functions = [
            get_activation(one)
            for one in (names if isinstance(names, list) else [names])
        ]
        for i in range(len(self._functions)):
            dense = inner_dense(self, self.units, f"i{i}", input_shape)
            setattr(self, f"i{i}_dense", dense)
        inner_shape = (*input_shape[:-1], self.units)
        self.o_dense = inner_dense(self, input_shape[-1], "o", inner_shape)

    def call(self, inputs):
        x = self._functions[0](self.i0_dense(inputs))
        for i, function in enumerate(self._functions[1:], start=1):
            x = x * function(getattr(self, f"i{i}_dense")(inputs))
        return self.o_dense(x)

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)
