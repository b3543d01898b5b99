"""Look inside a model: states between blocks, the mask that reaches a user's layer."""

import keras


@keras.saving.register_keras_serializable(package="tests")
class MaskProbe(keras.layers.Layer):
    """Return the mask that reaches a user's layer: (B, T) of 0 and 1, or all -1."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, x, mask=None):
        if mask is None:
            return keras.ops.full_like(x[..., 0], -1.0)
        return keras.ops.cast(mask, x.dtype)

    def compute_output_spec(self, x, mask=None):
        return keras.KerasTensor(x.shape[:-1], dtype=x.dtype)


def numpy_of(outputs):
    """{name: tensor} as {name: array}."""
    return {k: keras.ops.convert_to_numpy(v) for k, v in outputs.items()}


def probe(t):
    """A model of {name: tensor}: outputs, states between blocks, mask of the output."""
    first = t.layers[f"{t.prefix}Transformer-0-MultiHeadSelfAttention"].input
    found = {"hidden_0": first[0] if isinstance(first, list) else first}
    for i in range(t.num_hidden_layers):
        norm = t.layers[f"{t.prefix}Transformer-{i}-FeedForward-Norm"]
        found[f"hidden_{i + 1}"] = norm.output
    for i, output in enumerate(t.outputs):
        found[f"output_{i}"] = output
    found["output_mask"] = MaskProbe()(t.outputs[0])
    return keras.Model(t.input, found)
