"""Pointer layers: a score for every span (i, j) and type, from token vectors.

B batch, T tokens, H heads (types), D head size, E size of the token vectors.
"""

import keras
from keras import ops

from bert4keras3.backend import runtime
from bert4keras3.backend.losses import (
    check_head_reduction,
    check_pairs,
    flat_pairs,
    sparse_rows,
)
from bert4keras3.backend.tensors import align, rotate, sinusoidal_embeddings
from bert4keras3.layers.base import Layer, register
from bert4keras3.layers.dense import inner_dense
from bert4keras3.layers.packing import texts_of
from bert4keras3.layers.structure import Loss


@register
class GlobalPointer(Layer):
    """Scores of all spans, x: (B, T, E) -> (B, H, T, T) (https://kexue.fm/archives/8373).

    heads: H, one per type; head_size: D, even; RoPE: rotary positions, without which
    the scores know no length and no distance; use_bias: of the projection;
    tril_mask: spans end where they begin or later (i <= j).
    Entry [b, h, i, j] scores the span from token i to token j, both included;
    positive = predicted. Rows and columns of masked tokens, and i > j, are -inf.
    Scores are float32 under mixed precision: above 256 bfloat16 has no fractions.
    The output carries no mask.
    `pointer(x, starts=starts)` is for packed rows, starts: (B, N) (`layers.packing`):
    spans that begin and end in different texts are -inf.
    """

    def __init__(
        self,
        heads,
        head_size,
        RoPE=True,  # noqa: N803  (the name scripts use)
        use_bias=True,
        tril_mask=True,
        kernel_initializer="lecun_normal",
        **kwargs,
    ):
        super().__init__(**kwargs)
        if heads < 1 or head_size < 2 or head_size % 2:
            raise ValueError(
                f"{type(self).__name__} needs heads >= 1 and an even head_size >= 2. "
                f"Received: heads={heads}, head_size={head_size}"
            )
        self.heads = heads
        self.head_size = head_size
        self.RoPE = RoPE
        self.use_bias = use_bias
        self.tril_mask = tril_mask
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    @property
    def score_dtype(self):
        """Dtype of the scores."""
        return "float64" if self.compute_dtype == "float64" else "float32"

    def build(self, input_shape):
        units = 2 * self.heads * self.head_size
        self.dense = inner_dense(self, units, "dense", input_shape)

    def call(self, inputs, mask=None, starts=None, inputs_mask=None):
        # Keras gives the mask of `inputs` the second name where `starts` is there too.
        mask = inputs_mask if mask is None else mask
        scores = self.scores(inputs)
        return ops.where(self.visible(inputs, mask, starts), scores, float("-inf"))

    def scores(self, inputs):
        """Scores before masking, (B, T, E) -> (B, H, T, T)."""
        z = ops.cast(self.dense(inputs), self.score_dtype)
        z = ops.reshape(z, (-1, ops.shape(z)[1], self.heads, 2 * self.head_size))
        q, k = self.rotated(z[..., : self.head_size], z[..., self.head_size :])
        return ops.einsum("bihd,bjhd->bhij", q, k)

    def head_parts(self, inputs):
        """What the scores of one head are made of: shared tensors, per head tensors.

        `head_scores(*shared, *(one slice of each per-head tensor))` is (B, T, T).
        """
        shape = (-1, self.heads, 2 * self.head_size)
        kernel = ops.cast(self.dense.kernel, self.compute_dtype)
        parts = [ops.transpose(ops.reshape(kernel, shape), (1, 0, 2))]
        if self.use_bias:
            bias = ops.cast(self.dense.bias, self.compute_dtype)
            parts.append(ops.reshape(bias, shape[1:]))
        return [ops.cast(inputs, self.compute_dtype)], parts

    def head_scores(self, inputs, kernel, bias=0.0):
        """Scores of one head before masking, from its part of the projection."""
        z = ops.cast(ops.matmul(inputs, kernel) + bias, self.score_dtype)
        q, k = self.rotated(z[..., : self.head_size], z[..., self.head_size :])
        return ops.matmul(q, ops.swapaxes(k, 1, 2))

    def sparse_loss(
        self, inputs, pairs, mask=None, head_reduction="sum", starts=None
    ):
        """`sparse_global_pointer_crossentropy` of this layer's scores, float32 (B,).

        The heads follow one another, and the backward pass makes the scores of each
        anew: one (B, T, T) matrix at a time instead of several (B, H, T, T).
        inputs: (B, T, E); pairs: (B, H, K, 2); mask: (B, T); starts: (B, N) of packed
        rows, whose loss is that of all spans of a row together.
        """
        check_pairs(pairs, self.heads)
        check_head_reduction(head_reduction)
        batch, length = ops.shape(inputs)[:2]
        flat = flat_pairs(pairs, length)
        ids, inside = (ops.transpose(x, (1, 0, 2)) for x in flat)
        visible = ops.broadcast_to(
            self.visible(inputs, mask, starts)[:, 0], (batch, length, length)
        )
        shared, parts = self.head_parts(inputs)

        def head_loss(ids, inside, *parts):
            # TensorFlow differentiates the arguments of a recomputed function, and
            # those alone; integers among them it refuses.
            @keras.remat
            def one_head(*tensors):
                scores = self.head_scores(*tensors)
                scores = ops.where(visible, scores, float("-inf"))
                flat = ops.reshape(scores, (batch, length * length))
                return sparse_rows(ids, flat, inside, mask_zero=True)

            return one_head(*shared, *parts)

        start = ops.zeros((batch,), dtype="float32")
        total = added_up(head_loss, start, (ids, inside, *parts))
        return total / self.heads if head_reduction == "mean" else total

    def rotated(self, q, k):
        """Queries and keys (B, T, ..., D) at their positions, queries scaled."""
        q = q * self.head_size**-0.5
        if not self.RoPE:
            return q, k
        positions = ops.expand_dims(ops.arange(ops.shape(q)[1], dtype="int32"), 0)
        table = sinusoidal_embeddings(positions, self.head_size)
        return rotate(q, table), rotate(k, table)

    def visible(self, inputs, mask, starts=None):
        """Which spans have a score: bool, broadcastable to (B, H, T, T)."""
        steps = ops.arange(ops.shape(inputs)[1], dtype="int32")
        rows, columns = steps[:, None], steps[None]
        order = rows <= columns if self.tril_mask else rows >= 0
        visible = align(order, [2, 3], 4)
        if starts is not None:
            text = texts_of(starts, ops.shape(inputs)[1])[0]
            same = text[:, None, :, None] == text[:, None, None, :]
            visible = ops.logical_and(visible, same)
        if mask is None:
            return visible
        mask = ops.cast(mask, "bool")
        tokens = ops.logical_and(mask[:, None, :, None], mask[:, None, None, :])
        return ops.logical_and(visible, tokens)

    def compute_mask(self, inputs, mask=None):
        return None

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.heads, input_shape[1], input_shape[1])

    def compute_output_spec(
        self, inputs, mask=None, starts=None, inputs_mask=None
    ):
        shape = self.compute_output_shape(inputs.shape)
        return keras.KerasTensor(shape, dtype=self.score_dtype)


def added_up(function, start, parts):
    """start + the sum over i of function(*(part[i] for part in parts)), one by one."""
    if runtime.BACKEND != "tensorflow":
        total, _ = ops.scan(
            lambda total, one: (total + function(*one), None), start, parts
        )
        return total
    # XLA differentiates a TensorFlow loop only if its length is fixed; scan's is not.
    count = parts[0].shape[0]
    _, total = ops.while_loop(
        lambda i, _: i < count,
        lambda i, total: (i + 1, total + function(*(part[i] for part in parts))),
        (0, start),
        maximum_iterations=count,
    )
    return total


@register
class EfficientGlobalPointer(GlobalPointer):
    """GlobalPointer with one matrix of spans for all types (https://kexue.fm/archives/8877).

    The types add only a score for the first and one for the last token, so that a
    further type costs 4 D parameters instead of 2 E D. Arguments as GlobalPointer.
    """

    def build(self, input_shape):
        self.p_dense = inner_dense(self, 2 * self.head_size, "p_dense", input_shape)
        inner = (*input_shape[:-1], 2 * self.head_size)
        self.q_dense = inner_dense(self, 2 * self.heads, "q_dense", inner)

    def scores(self, inputs):
        (spans,), (last, first) = self.head_parts(inputs)
        last, first = (ops.swapaxes(x, 0, 1) for x in (last, first))  # (B, H, T)
        return spans[:, None] + last[:, :, None, :] + first[..., None]

    def head_parts(self, inputs):
        """The scores of spans (B, T, T), and of last and first tokens (H, B, T)."""
        z = self.p_dense(inputs)
        ends = ops.cast(self.q_dense(z), self.score_dtype) / 2
        ends = ops.transpose(ends, (2, 0, 1))
        z = ops.cast(z, self.score_dtype)
        q, k = self.rotated(z[..., ::2], z[..., 1::2])
        # Even channels belong to the last token of a span, odd ones to the first.
        return [ops.matmul(q, ops.swapaxes(k, 1, 2))], [ends[::2], ends[1::2]]

    def head_scores(self, spans, last, first):
        return spans + last[:, None, :] + first[..., None]


@register
class SparsePointerLoss(Loss):
    """The sparse pointer loss inside the graph, at a fraction of the memory.

    pointer: a GlobalPointer or EfficientGlobalPointer, shared with the model that
    predicts; head_reduction: "sum" or "mean" over the heads. Packed rows:
    [x, pairs, starts] with starts: (B, N).
    `SparsePointerLoss(pointer)([x, pairs])` with x: (B, T, E), pairs: (B, H, K, 2)
    adds the mean over the batch of `pointer.sparse_loss` to the losses of the model:

        x, pairs = encoder.output, keras.Input((heads, None, 2), dtype="int32")
        predictor = keras.Model(encoder.inputs, pointer(x))
        trainer = keras.Model(
            [*encoder.inputs, pairs], SparsePointerLoss(pointer)([x, pairs])
        )
        trainer.compile(optimizer)  # batches: ((ids, segments, pairs), None)
    """

    def __init__(self, pointer, head_reduction="sum", output_axis=0, **kwargs):
        super().__init__(output_axis=output_axis, **kwargs)
        check_head_reduction(head_reduction)
        if isinstance(pointer, dict):
            pointer = keras.saving.deserialize_keras_object(pointer)
        if not isinstance(pointer, GlobalPointer):
            raise TypeError(
                "SparsePointerLoss needs a GlobalPointer or EfficientGlobalPointer. "
                f"Received: {pointer!r}"
            )
        self.pointer = pointer
        self.head_reduction = head_reduction

    def build(self, input_shape):
        if not self.pointer.built:
            self.pointer.build(input_shape[0])

    def call(self, inputs, mask=None):
        self.add_loss(self.compute_loss(inputs, mask))  # pairs stay integers
        return self._select(inputs)

    def compute_loss(self, inputs, mask=None):
        x, pairs, *starts = inputs
        mask = None if mask is None else mask[0]
        further = self.head_reduction, *starts
        return ops.mean(self.pointer.sparse_loss(x, pairs, mask, *further))
