"""Disentangled attention (DeBERTa): content and distance meet in separate scores.

B batch, T query length, S key length, H heads, K key size; a pass with T queries and
S keys knows M = T + S - 1 distances.
"""

import functools

import keras
import numpy as np
from keras import ops

from bert4keras3.backend import runtime
from bert4keras3.backend.activations import get_activation
from bert4keras3.backend.tables import gather_rows
from bert4keras3.layers.attention import MultiHeadAttention
from bert4keras3.layers.base import Layer, register
from bert4keras3.layers.embeddings import real_tokens

POSITION_KINDS = ("c2p", "p2c")


@functools.cache
def distance_buckets(buckets, max_distance):
    """Bucket of the distances 0 .. max_distance, int32: exact at first, then by log.

    buckets: N, buckets on one side, or 0 for none; the first N / 2 hold one distance
    each, the rest reaches to max_distance - 1 (https://arxiv.org/abs/2006.03654).
    """
    distance = np.arange(max_distance + 1)
    if not buckets:
        return distance.astype("int32")
    middle = buckets // 2
    turns = np.log(np.maximum(distance, middle) / middle)
    turns = turns / np.log((max_distance - 1) / middle)
    far = np.ceil(turns * (middle - 1)) + middle
    return np.where(distance <= middle, distance, far).astype("int32")


@register
class DistanceEmbedding(Layer):
    """The vector of every distance within a text, from a table of 2 N rows.

    buckets: N, see `distance_buckets`, 0 for a row per distance (N = max_distance);
    output_dim: E. Called with ids (B, T), whose length alone matters -> (2T - 1, E):
    rows of the distances T - 1, ..., 1 - T of a query behind a key.
    Raises ValueError when max_distance leaves nothing for logarithmic buckets.
    """

    def __init__(
        self,
        output_dim,
        buckets=256,
        max_distance=512,
        embeddings_initializer="zeros",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.output_dim = output_dim
        self.buckets = max(buckets or 0, 0)
        self.max_distance = max_distance
        self.embeddings_initializer = keras.initializers.get(embeddings_initializer)
        if self.buckets % 2 or max_distance <= self.buckets // 2 + 1:
            raise ValueError(
                "buckets must be even, and max_distance beyond half of them plus one. "
                f"Received: buckets={buckets}, max_distance={max_distance}"
            )

    def build(self, input_shape):
        self.embeddings = self.add_weight(
            name="embeddings",
            shape=(2 * (self.buckets or self.max_distance), self.output_dim),
            initializer=self.embeddings_initializer,
            autocast=False,  # see Embedding
        )

    def call(self, inputs):
        length = ops.shape(inputs)[1]
        return self.rows(length - 1 - ops.arange(2 * length - 1))

    def rows(self, distance):
        """Vectors (..., E) of integer distances (...), query minus key."""
        buckets = distance_buckets(self.buckets, self.max_distance)
        near = ops.minimum(ops.abs(distance), self.max_distance)
        bucket = ops.sign(distance) * ops.take(ops.convert_to_tensor(buckets), near)
        span = self.buckets or self.max_distance
        rows = ops.clip(bucket + span, 0, 2 * span - 1)
        table = ops.convert_to_tensor(self.embeddings)
        rows = gather_rows(table, ops.cast(rows, "int32"))
        return ops.cast(rows, self.compute_dtype)

    def compute_mask(self, inputs, mask=None):
        return None

    def compute_output_spec(self, inputs):
        length = inputs.shape[1]
        rows = None if length is None else 2 * length - 1
        return keras.KerasTensor((rows, self.output_dim), dtype=self.compute_dtype)


@register
class DisentangledAttention(MultiHeadAttention):
    """Attention whose scores add content-to-position and position-to-content terms.

    position_kinds: "c2p" and/or "p2c" (https://arxiv.org/abs/2006.03654), as a list
    or as "c2p|p2c";
    share_projections: project distances by the query and key kernels, else by
    kernels of their own; position_dropout: rate on the distance vectors; the rest as
    in MultiHeadAttention. Called with relative=(M, E), the rows of DistanceEmbedding,
    distances from T - 1 down to 1 - S, or for a single query (B, S, E), one per key.
    """

    def __init__(
        self,
        heads,
        head_size,
        position_kinds=POSITION_KINDS,
        share_projections=True,
        position_dropout=None,
        **kwargs,
    ):
        super().__init__(heads, head_size, **kwargs)
        if isinstance(position_kinds, str):
            position_kinds = position_kinds.lower().replace(" ", "").split("|")
        self.position_kinds = tuple(position_kinds)
        self.share_projections = share_projections
        self.position_dropout = position_dropout
        unknown = sorted(set(self.position_kinds) - set(POSITION_KINDS))
        if unknown:
            raise ValueError(
                f"position_kinds may hold {POSITION_KINDS}. Received: {unknown}"
            )
        # Each kind adds a product of the same variance as the content's own.
        self.scale = self.scale / (1 + len(set(self.position_kinds))) ** 0.5
        if position_dropout:
            self.position_seed_generator = keras.random.SeedGenerator()

    def build(self, input_shape):
        super().build(input_shape)
        if self.share_projections:
            return
        many = isinstance(input_shape[0], (list, tuple))
        shape = input_shape[0] if many else input_shape
        size = self.heads * self.key_size
        if "c2p" in self.position_kinds:
            self.position_k_dense = self._dense(size, "position_k", shape)
        if "p2c" in self.position_kinds:
            self.position_q_dense = self._dense(size, "position_q", shape)

    def attend(self, q, k, v, terms, training=False):
        """See MultiHeadAttention; terms: `relative` is (M, E) or (B, S, E)."""
        terms = dict(terms)
        rows = terms.pop("relative", None)
        if rows is not None and self.position_kinds:
            if training and self.position_dropout:
                seed = self.position_seed_generator
                rows = runtime.dropout(rows, self.position_dropout, seed)
            terms["position_scores"] = self.position_scores(q, k, rows)
        return super().attend(q, k, v, terms, training)

    def position_scores(self, q, k, rows):
        """Scores (B, H, T, S), not yet scaled, of q, k (B, T|S, H, K), rows (M, E)."""
        if len(rows.shape) == 3:
            return self._row_scores(q, k, rows)
        q, k = (ops.swapaxes(x, 1, 2) for x in (q, k))
        queries, keys = ops.shape(q)[2], ops.shape(k)[2]
        self._check_rows(rows, queries, keys)
        rows, scores = ops.expand_dims(rows, 0), 0.0
        if "c2p" in self.position_kinds:
            own = self.k_dense if self.share_projections else self.position_k_dense
            products = self._products(q, own(rows))
            scores = scores + diagonals(products, queries, keys)
        if "p2c" in self.position_kinds:
            own = self.q_dense if self.share_projections else self.position_q_dense
            products = self._products(k, ops.flip(own(rows), axis=1))
            products = diagonals(products, keys, queries)
            scores = scores + ops.swapaxes(products, 2, 3)
        return scores

    def _row_scores(self, q, k, rows):
        """Scores (B, H, 1, S) of one query each, rows: (B, S, E), one for each key."""
        scores = 0.0
        if "c2p" in self.position_kinds:
            own = self.k_dense if self.share_projections else self.position_k_dense
            keys = self._heads(own(rows), self.heads, self.key_size)
            scores = scores + ops.einsum("bthk,bshk->bhts", q, keys)
        if "p2c" in self.position_kinds:
            own = self.q_dense if self.share_projections else self.position_q_dense
            queries = self._heads(own(rows), self.heads, self.key_size)
            scores = scores + ops.einsum("bshk,bshk->bhs", k, queries)[:, :, None]
        return scores

    def _products(self, x, rows):
        """x (B, H, T, K) times rows (1, M, H * K) -> (B, H, T, M)."""
        rows = self._heads(rows, self.heads, self.key_size)
        return ops.matmul(x, ops.transpose(rows, (0, 2, 3, 1)))

    def _check_rows(self, rows, queries, keys):
        found, needed = rows.shape[0], queries + keys - 1
        if isinstance(found, int) and isinstance(needed, int) and found != needed:
            raise ValueError(
                f"Layer {self.name!r} needs {needed} distances for {queries} queries "
                f"and {keys} keys. Received: {found}; a prefix of keys "
                "(attention_caches) has no place among them."
            )


def diagonals(x, rows, columns):
    """Line up products by distance: x (B, H, T, T + S - 1) -> (B, H, T, S).

    Entry (i, j) is x[i, T - 1 - i + j]. Reading the rows one entry longer than they
    are shifts each by one more than the one before: no gather, no scatter behind it.
    """
    width = rows + columns - 1
    lead = (-1, ops.shape(x)[1])
    x = ops.pad(x, [[0, 0], [0, 0], [0, 0], [0, 1]])
    x = ops.reshape(x, (*lead, rows * (width + 1)))
    x = x[:, :, rows - 1 : rows - 1 + rows * width]
    return ops.reshape(x, (*lead, rows, width))[..., :columns]


@register
class MaskedConv1D(keras.layers.Conv1D):
    """Convolution along the text that sees zeros at padding.

    Called with [x: (B, T, D), ids: (B, T)] -> (B, T, filters).
    """

    def __init__(self, filters, kernel_size, activation=None, pad_token_id=0, **kwargs):
        kwargs = {**kwargs, "padding": "same"}
        function = get_activation(activation)
        super().__init__(filters, kernel_size, activation=function, **kwargs)
        self.pad_token_id = pad_token_id
        self.supports_masking = True
        self.input_spec = None  # Keras expects one input

    def get_config(self):
        return {**super().get_config(), "pad_token_id": self.pad_token_id}

    def build(self, input_shape):
        super().build(input_shape[0])
        self.input_spec = None

    def call(self, inputs):
        x, ids = inputs
        shown = ops.expand_dims(real_tokens(ids, self.pad_token_id), -1)
        return super().call(ops.where(shown, x, ops.zeros((), x.dtype)))

    def compute_mask(self, inputs, mask=None):
        return mask[0] if isinstance(mask, (list, tuple)) else mask

    def compute_output_spec(self, inputs):
        shape = (*inputs[0].shape[:2], self.filters)
        return keras.KerasTensor(shape, dtype=self.compute_dtype)
