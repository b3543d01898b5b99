"""A table of vectors for the distance between two tokens."""

import keras
from keras import ops

from bert4keras3.backend.tables import gather_rows
from bert4keras3.backend.tensors import sinusoidal_embeddings
from bert4keras3.layers.base import Layer, register


@register
class RelativePositionEmbedding(Layer):
    """One vector per clipped distance (https://arxiv.org/abs/1803.02155).

    input_dim: rows N, odd: distances beyond (N - 1) / 2 share the outermost row;
    output_dim: K; embeddings_initializer: None for the sinusoidal table, which is
    computed and no weight. Called with [queries: (B, T, ...), keys: (B, S, ...)], of
    which only the lengths matter -> (T, S, K), row j - i for query i and key j.
    """

    def __init__(self, input_dim, output_dim, embeddings_initializer="zeros", **kwargs):
        super().__init__(**kwargs)
        self.input_dim = input_dim
        self.output_dim = output_dim
        self.embeddings_initializer = (
            embeddings_initializer and keras.initializers.get(embeddings_initializer)
        )

    def build(self, input_shape):
        if self.embeddings_initializer is None:
            return
        self.embeddings = self.add_weight(
            name="embeddings",
            shape=(self.input_dim, self.output_dim),
            initializer=self.embeddings_initializer,
            autocast=False,  # see Embedding
        )

    def call(self, inputs):
        return self.between(*(ops.arange(ops.shape(x)[1]) for x in inputs))

    def between(self, queries, keys):
        """Vectors (..., T, S, K) for positions of queries (..., T), keys (..., S)."""
        reach = (self.input_dim - 1) // 2
        distance = ops.expand_dims(keys, -2) - ops.expand_dims(queries, -1)
        rows = ops.cast(ops.clip(distance, -reach, reach) + reach, "int32")
        return ops.cast(gather_rows(self._table(), rows), self.compute_dtype)

    def _table(self):
        if self.embeddings_initializer is not None:
            return ops.convert_to_tensor(self.embeddings)
        positions = ops.expand_dims(ops.arange(self.input_dim), 0)
        return sinusoidal_embeddings(positions, self.output_dim)[0]

    def compute_mask(self, inputs, mask=None):
        return None

    def compute_output_spec(self, inputs):
        shape = (inputs[0].shape[1], inputs[1].shape[1], self.output_dim)
        return keras.KerasTensor(shape, dtype=self.compute_dtype)
