"""Heads of sentence vectors: features of pairs, cosines to classes."""

from keras import ops

from bert4keras3.backend.tensors import unit_vectors
from bert4keras3.layers.base import Layer, fresh, register


def pairs_of(vectors, least=0):
    """The first and the second vectors, (B / 2, D) each, of pairs in `vectors: (B, D)`.

    Rows 2i and 2i + 1 are a pair. Raises ValueError for another rank, an odd number of
    rows or fewer than `least`.
    """
    rows = vectors.shape[0]
    if len(vectors.shape) != 2 or (rows is not None and (rows % 2 or rows < least)):
        raise ValueError(
            "Pairs are vectors (B, D) with an even number of rows, the rows 2i and "
            f"2i + 1 being a pair{f', and {least} rows' if least else ''}. "
            f"Received: shape {tuple(vectors.shape)}. Leave padding rows out, or drop "
            "the last incomplete batch by pairs."
        )
    both = ops.reshape(vectors, (-1, 2, vectors.shape[-1]))
    return both[:, 0], both[:, 1]


@register
class PairFeatures(Layer):
    """What a classifier of pairs reads: u, v and |u - v| of two sentence vectors.

    Input (B, D), rows 2i and 2i + 1 being a pair; output (B, 3D), or (B, 4D) with
    product, and both rows of a pair hold the same, so that labels stay one per row.
    product: append u * v, as InferSent does (https://arxiv.org/abs/1705.02364);
    Sentence-BERT does not (https://arxiv.org/abs/1908.10084).
    Raises ValueError for another rank or an odd number of rows.
    """

    def __init__(self, product=False, **kwargs):
        super().__init__(**kwargs)
        self.product = product

    def call(self, inputs):
        u, v = pairs_of(inputs)
        features = [u, v, ops.abs(u - v)]
        if self.product:
            features.append(u * v)
        return ops.repeat(ops.concatenate(features, axis=-1), 2, axis=0)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], (3 + self.product) * input_shape[-1])


@register
class CosineDense(Layer):
    """Cosines of vectors and the columns of a kernel: (..., D) -> (..., units).

    Float32 under any policy. The head of `losses.MarginSoftmax`.
    """

    def __init__(self, units, kernel_initializer="glorot_uniform", **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.kernel_initializer = fresh(kernel_initializer)

    def build(self, input_shape):
        self.kernel = self.add_weight(
            shape=(input_shape[-1], self.units),
            initializer=self.kernel_initializer,
            name="kernel",
        )

    def call(self, inputs):
        columns = unit_vectors(ops.transpose(ops.convert_to_tensor(self.kernel)))
        return ops.matmul(unit_vectors(inputs), ops.transpose(columns))

    def compute_mask(self, inputs, mask=None):
        return None
