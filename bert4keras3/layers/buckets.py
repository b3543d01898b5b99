"""T5's relative positions: one score per head and bucket of distances."""

import functools

import keras
import numpy as np
from keras import ops

from bert4keras3.backend.tables import gather_columns, gather_rows
from bert4keras3.layers.base import Layer, register


@functools.cache
def distance_buckets(count, max_distance):
    """Bucket of each distance 0..max_distance, int32, `count` of them in all.

    Half of them hold one distance each, the others ever more. Whole numbers only: a
    float logarithm puts the bounds themselves into one bucket or the other.
    Raises ValueError when there are too few buckets or distances.
    """
    exact = count // 2
    if exact < 1 or max_distance <= exact:
        raise ValueError(
            "relative_attention_num_buckets and relative_attention_max_distance do not "
            f"fit: expected 2 or more buckets per direction and a distance beyond half "
            f"of them. Received: {count} per direction, distance {max_distance}"
        )
    steps, buckets = count - exact, list(range(exact))
    for n in range(exact, max_distance + 1):
        # log(n / exact) / log(max / exact) * steps >= j, without the logarithms
        passed = (
            n**steps * exact**j >= max_distance**j * exact**steps
            for j in range(1, steps)
        )
        buckets.append(exact + sum(passed))
    return np.asarray(buckets, dtype="int32")


@register
class RelativePositionEmbeddingT5(Layer):
    """Trained scores of bucketed distances (https://arxiv.org/abs/1910.10683).

    input_dim: number of buckets; output_dim: heads H; max_distance: from here on all
    distances share a bucket; bidirectional: half of the buckets are for keys on the
    right, otherwise those count as distance 0; heads_first: return (1, H, T, S), the
    `bias` of MultiHeadAttention, instead of (T, S, H).
    Called with [queries: (B, T, ...), keys: (B, S, ...)]; only lengths matter.
    """

    def __init__(
        self,
        input_dim,
        output_dim,
        max_distance=128,
        bidirectional=True,
        embeddings_initializer="zeros",
        heads_first=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.input_dim = input_dim
        self.output_dim = output_dim
        self.max_distance = max_distance
        self.bidirectional = bidirectional
        self.embeddings_initializer = keras.initializers.get(embeddings_initializer)
        self.heads_first = heads_first
        # One direction's share of the rows; making the table here checks it.
        self._side = input_dim // 2 if bidirectional else input_dim
        self._buckets = distance_buckets(self._side, max_distance)

    def build(self, input_shape):
        self.embeddings = self.add_weight(
            name="embeddings",
            shape=(self.input_dim, self.output_dim),
            initializer=self.embeddings_initializer,
            autocast=False,  # see Embedding
        )

    def call(self, inputs):
        return self.between(*(ops.arange(ops.shape(x)[1]) for x in inputs))

    def between(self, queries, keys):
        """Scores for integer positions of queries (..., T) and keys (..., S)."""
        distance = ops.expand_dims(keys, -2) - ops.expand_dims(queries, -1)
        rows = self._rows(ops.cast(distance, "int32"))
        table = ops.convert_to_tensor(self.embeddings)
        if not self.heads_first:
            return ops.cast(gather_rows(table, rows), self.compute_dtype)
        scores = ops.cast(gather_columns(table, rows), self.compute_dtype)
        if len(scores.shape) == 3:
            return ops.expand_dims(scores, 0)
        return ops.moveaxis(scores, 0, -3)

    def _rows(self, distance):
        """Rows of the table for distances key - query."""
        buckets = ops.convert_to_tensor(self._buckets)
        steps = ops.abs(distance) if self.bidirectional else ops.maximum(-distance, 0)
        rows = ops.take(buckets, ops.minimum(steps, self.max_distance))
        if self.bidirectional:
            rows = rows + self._side * ops.cast(distance > 0, "int32")
        return rows

    def compute_mask(self, inputs, mask=None):
        return None

    def compute_output_spec(self, inputs):
        lengths = (inputs[0].shape[1], inputs[1].shape[1])
        shape = (*lengths, self.output_dim)
        if self.heads_first:
            shape = (1, self.output_dim, *lengths)
        return keras.KerasTensor(shape, dtype=self.compute_dtype)
