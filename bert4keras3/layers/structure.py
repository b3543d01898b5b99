"""Layers that join, cut, drop and pool: masks survive every one of them."""

import keras
from keras import ops

from bert4keras3.backend import runtime
from bert4keras3.layers.base import Layer, register


def joint_mask(masks):
    """AND of the known masks in a list; None when none is known."""
    known = [mask for mask in masks or [] if mask is not None]
    if not known:
        return None
    joint = known[0]
    for mask in known[1:]:
        joint = ops.logical_and(joint, mask)
    return joint


@register
class Add(keras.layers.Add):
    """Sum of tensors that keeps the known masks.

    Keras 3's own Add drops a mask unless every input has one, and padding would
    then silently reach the heads.
    """

    def compute_mask(self, inputs, mask=None):
        return joint_mask(mask)


@register
class Dropout(keras.layers.Dropout):
    """Dropout whose random bits XLA fuses into the multiplication (jax, tensorflow)."""

    def call(self, inputs, training=False):
        if not training or not self.rate:
            return inputs
        if self.noise_shape is not None or self.seed is not None:
            return super().call(inputs, training=training)
        return runtime.dropout(inputs, self.rate, self.seed_generator)


@register
class FirstToken(Layer):
    """The vector of the first token: (B, T, D) -> (B, D), or (B, 1, D) if keepdims."""

    def __init__(self, keepdims=False, **kwargs):
        super().__init__(**kwargs)
        self.keepdims = keepdims

    def call(self, inputs):
        return inputs[:, :1] if self.keepdims else inputs[:, 0]

    def compute_mask(self, inputs, mask=None):
        return mask[:, :1] if self.keepdims and mask is not None else None


@register
class Concatenate1D(Layer):
    """Concatenate along axis 1; a part without a mask counts as all visible."""

    def call(self, inputs):
        return ops.concatenate(inputs, axis=1)

    def compute_mask(self, inputs, mask=None):
        if mask is None or all(m is None for m in mask):
            return None
        parts = [
            ops.ones_like(x[:, :, 0], dtype="bool")
            if m is None
            else ops.cast(m, "bool")
            for x, m in zip(inputs, mask, strict=True)
        ]
        return ops.concatenate(parts, axis=1)


@register
class GlobalAveragePooling1D(keras.layers.GlobalAveragePooling1D):
    """Mean over the visible steps, (B, T, D) -> (B, D); a row with none gives zeros."""

    def call(self, inputs, mask=None):
        steps = 2 if self.data_format == "channels_first" else 1
        if mask is None:
            return ops.mean(inputs, axis=steps, keepdims=self.keepdims)
        weights = ops.expand_dims(ops.cast(mask, "float32"), 3 - steps)
        total = ops.sum(inputs * ops.cast(weights, inputs.dtype), steps, self.keepdims)
        count = ops.maximum(ops.sum(weights, axis=steps, keepdims=self.keepdims), 1.0)
        return total / ops.cast(count, total.dtype)


@register
class GlobalMaxPooling1D(keras.layers.GlobalMaxPooling1D):
    """Maximum over the visible steps, (B, T, D) -> (B, D)."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs, mask=None):
        steps = 2 if self.data_format == "channels_first" else 1
        if mask is not None:
            keep = ops.expand_dims(ops.cast(mask, "bool"), 3 - steps)
            low = ops.cast(float("-inf"), inputs.dtype)
            inputs = ops.where(keep, inputs, low)
        return ops.max(inputs, axis=steps, keepdims=self.keepdims)

    def compute_mask(self, inputs, mask=None):
        return None


@register
class Loss(Layer):
    """A loss that lives in the graph: subclass it and write `compute_loss`.

    `layer([a, b, ...])` adds `compute_loss(inputs, mask)` (a scalar) to the model's
    losses and returns the inputs: all of them (output_axis=None), one (an int) or
    some (a list of ints). Train with `model.compile(optimizer=...)` and batches
    `(inputs, None)`.
    """

    def __init__(self, output_axis=None, **kwargs):
        super().__init__(**kwargs)
        self.output_axis = output_axis

    def call(self, inputs, mask=None):
        self.add_loss(self.compute_loss(inputs, mask))
        return self._select(inputs)

    def compute_loss(self, inputs, mask=None):
        raise NotImplementedError(
            f"{type(self).__name__} must define compute_loss(self, inputs, mask=None)."
        )

    def _select(self, values):
        if self.output_axis is None or values is None:
            return values
        if isinstance(self.output_axis, (list, tuple)):
            return [values[i] for i in self.output_axis]
        return values[self.output_axis]

    def compute_mask(self, inputs, mask=None):
        return self._select(mask)
