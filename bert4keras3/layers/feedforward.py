"""The position-wise feed-forward network, plain or gated."""

import keras

from bert4keras3.backend.activations import activation_name, get_activation
from bert4keras3.layers.base import Layer, fresh, register
from bert4keras3.layers.dense import Dense


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
            setattr(self, f"i{i}_dense", self._dense(self.units, f"i{i}", input_shape))
        inner_shape = (*input_shape[:-1], self.units)
        self.o_dense = self._dense(input_shape[-1], "o", inner_shape)

    def _dense(self, units, name, shape):
        dense = Dense(
            units,
            use_bias=self.use_bias,
            kernel_initializer=fresh(self.kernel_initializer),
            name=name,
            dtype=self.dtype_policy,
        )
        dense.build(shape)
        return dense

    def call(self, inputs):
        x = self._functions[0](self.i0_dense(inputs))
        for i, function in enumerate(self._functions[1:], start=1):
            x = x * function(getattr(self, f"i{i}_dense")(inputs))
        return self.o_dense(x)

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(inputs.shape, dtype=self.compute_dtype)
