"""Initializers that saved models refer to by name."""

import keras
from keras import ops

from bert4keras3.backend.tensors import sinusoidal_embeddings
from bert4keras3.layers.base import register


@register
class DepthScaledNormal(keras.initializers.Initializer):
    """Truncated normal of std 1.1368 / sqrt(H) * L^(-1/order), H the fan-in.

    1.1368 restores the variance lost by truncating at two sigma
    (https://github.com/ZhuiyiTechnology/roformer-v2).
    """

    def __init__(self, num_layers, order=2, seed=None):
        self.num_layers = num_layers
        self.order = order
        self.seed = seed

    def __call__(self, shape, dtype=None, order=None, gain=1.0):
        """Draw; order, gain (a factor of the std): what subclasses in scripts pass."""
        # Embedding tables (very tall or very flat) scale by their width.
        tall_or_flat = shape[0] > 10000 or shape[0] < 10
        hidden = shape[1] if tall_or_flat else shape[0]
        gain = gain * self.num_layers ** (-1.0 / (order or self.order))
        std = 1.13684723 / hidden**0.5 * gain
        drawn = keras.initializers.TruncatedNormal(stddev=std, seed=self.seed)
        return ops.cast(drawn(shape), dtype or "float32")

    def get_config(self):
        return {"num_layers": self.num_layers, "order": self.order, "seed": self.seed}


@register
class Sinusoidal(keras.initializers.Initializer):
    """Row p is the interleaved sine and cosine vector of position p (base 10000)."""

    def __call__(self, shape, dtype=None):
        positions = ops.expand_dims(ops.arange(shape[0]), 0)
        return ops.cast(
            sinusoidal_embeddings(positions, shape[1])[0], dtype or "float32"
        )
