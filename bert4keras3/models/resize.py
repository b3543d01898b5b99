"""Fit a weight of another size into a model (autoresize_weights)."""

from bert4keras3.layers import FeedForward, MultiHeadAttention
from bert4keras3.utils.resize import orthogonally_resize


def resized(layer, ours, array, shape):
    """Repeat or cut `array` to `shape`, keeping the layer's output scale.

    layer: the layer the weight belongs to; ours: "<layer name>/<weight path>".
    Attention scores and feed-forward activations depend on the widths, so their
    weights are rescaled (https://kexue.fm/archives/8444).
    """
    new = orthogonally_resize(array, shape)
    part = ours.split("/")[1]
    if isinstance(layer, MultiHeadAttention) and layer.attention_scale:
        return (
            new * (shape[-1] / array.shape[-1]) ** 0.25 if part in ("q", "k") else new
        )
    if isinstance(layer, FeedForward):
        relu = layer.activation in ("relu", "leaky_relu")
        if part == "i0" and not relu:
            return new * (shape[-1] / array.shape[-1]) ** 0.5
        return new * (array.shape[0] / shape[0]) ** 0.5
    return new
