"""Several texts in one row: which token belongs to which, and where each begins.

B rows, T tokens of a row, N places for texts of a row. `starts: (B, N)` int32 says
where each text begins: 0 first, then rising; a place without text holds any number
that is at least T.
"""

import keras
from keras import ops

from bert4keras3.layers.base import Layer, register


def texts_of(starts, length):
    """(number of its text, position in its text) of every token, both int32 (B, T).

    starts: (B, N); length: T. The numbers count from 1.
    """
    starts = ops.cast(starts, "int32")[:, None, :]
    tokens = ops.arange(length, dtype="int32")
    begun = starts <= tokens[None, :, None]
    numbers = ops.sum(ops.cast(begun, "int32"), axis=-1)
    latest = ops.max(ops.where(begun, starts, 0), axis=-1)
    return numbers, tokens[None] - latest


@register
class PackedPositions(Layer):
    """Position of every token in its own text, int32 (B, T).

    Called with [ids: (B, T), starts: (B, N)].
    """

    def call(self, inputs):
        ids, starts = inputs
        return texts_of(starts, ops.shape(ids)[1])[1]

    def compute_mask(self, inputs, mask=None):
        return None

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(inputs[0].shape, dtype="int32")


@register
class FirstTokens(Layer):
    """What belongs to the first tokens of the texts of a row.

    Called with [x, starts: (B, N)]. axis: that of the tokens, counted from 0: 1 takes
    (B, N, ...) from x: (B, T, ...), 2 takes (B, H, N, ...) from x: (B, H, T, ...), and
    0 takes (B, N, ...) from x: (T, ...), which all rows share.
    A place without text gives what belongs to the last token.
    """

    def __init__(self, axis=1, **kwargs):
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, inputs):
        x, starts = inputs
        last = ops.shape(x)[self.axis] - 1
        places = ops.clip(ops.cast(starts, "int32"), 0, last)
        if self.axis == 0:
            return ops.take(x, places, axis=0)
        for _ in range(self.axis - 1):
            places = ops.expand_dims(places, 1)
        for _ in range(len(x.shape) - self.axis - 1):
            places = ops.expand_dims(places, -1)
        return ops.take_along_axis(x, places, axis=self.axis)

    def compute_mask(self, inputs, mask=None):
        return None

    def compute_output_spec(self, inputs):
        x, starts = inputs
        front = (starts.shape[0], *x.shape[1 : self.axis])
        shape = (*front, starts.shape[1], *x.shape[self.axis + 1 :])
        return keras.KerasTensor(shape, dtype=x.dtype)


@register
class PackedPooling(Layer):
    """One vector of every text of a row, (B, N, D), out of those of its tokens.

    Called with [x: (B, T, D), starts: (B, N)]; tokens that the mask of x leaves out
    have no part in it, and a place without text gives zeros. pooling: "mean" or "max".
    Raises ValueError for another.
    """

    def __init__(self, pooling="mean", **kwargs):
        super().__init__(**kwargs)
        if pooling not in ("mean", "max"):
            raise ValueError(f'pooling must be "mean" or "max". Received: {pooling!r}')
        self.pooling = pooling

    def call(self, inputs, mask=None):
        x, starts = inputs
        numbers, _ = texts_of(starts, ops.shape(x)[1])
        places = 1 + ops.arange(ops.shape(starts)[1], dtype="int32")
        own = numbers[:, None] == places[None, :, None]
        seen = mask[0] if isinstance(mask, (list, tuple)) else mask
        if seen is not None:
            own = ops.logical_and(own, ops.cast(seen, "bool")[:, None])
        own = own[..., None]  # (B, N, T, 1)
        if self.pooling == "max":
            low = ops.where(own, x[:, None], ops.cast(float("-inf"), x.dtype))
            return ops.where(ops.any(own, axis=2), ops.max(low, axis=2), 0)
        own = ops.cast(own[..., 0], x.dtype)
        count = ops.maximum(ops.sum(ops.cast(own, "float32"), -1, keepdims=True), 1.0)
        return ops.matmul(own, x) / ops.cast(count, x.dtype)

    def compute_mask(self, inputs, mask=None):
        return None

    def compute_output_spec(self, inputs, mask=None):
        x, starts = inputs
        shape = (x.shape[0], starts.shape[1], x.shape[2])
        return keras.KerasTensor(shape, dtype=x.dtype)
