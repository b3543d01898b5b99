"""Look inside a model: states between blocks, the mask that reaches a user's layer."""

import keras

from bert4keras3.backend import get_output_at


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


def block_end(t, index):
    """The layer whose output is that of a block: a norm, or a sum if norms go first."""
    parts = ("Add",) if t.pre_norm else ("Norm", "Norm-1")
    names = [t.prefixed(t.layer_name(index, f"FeedForward-{part}")) for part in parts]
    return t.layers[next(name for name in names if name in t.layers)]


def probe(t):
    """A model of {name: tensor}: outputs, states between blocks, mask of the output."""
    whole, t = t, getattr(t, "_decoder", t)  # of an encoder-decoder, the decoder
    again = int(whole is not t)  # its layers are called in its own model, too
    first = "MultiHeadSelfAttention" + ("-Norm" if t.pre_norm else "")
    first = t.layers[t.prefixed(t.layer_name(0, first))]
    found = {"hidden_0": first._inbound_nodes[again].input_tensors[0]}
    for i in range(t.num_hidden_layers):
        norm = block_end(t, i)
        shared = t.layer_name(0, "") == t.layer_name(1, "")  # ALBERT's block
        call = i if shared else again
        found[f"hidden_{i + 1}"] = get_output_at(norm, call)
    for i, output in enumerate(whole.outputs):
        found[f"output_{i}"] = output
    found["output_mask"] = MaskProbe()(whole.outputs[0])
    return keras.Model(whole.input, found)
