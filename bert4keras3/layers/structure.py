"""Layers that join, cut, drop and pool: masks survive every one of them."""

import warnings

import keras
from keras import ops

from bert4keras3.backend import runtime
from bert4keras3.backend.tensors import is_bool
from bert4keras3.layers.base import Calls, Layer, register


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
class Add(Calls, keras.layers.Add):
    """Sum of tensors that keeps the known masks.

    Keras 3's own Add drops a mask unless every input has one, and padding would
    then silently reach the heads.
    """

    def compute_mask(self, inputs, mask=None):
        return joint_mask(mask)


@register
class Dropout(Calls, keras.layers.Dropout):
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


def _as_floats(inputs):
    """Numbers of a tensor or list as floatx; booleans stay."""
    if isinstance(inputs, (list, tuple)):
        return [_as_floats(one) for one in inputs]
    return inputs if is_bool(inputs) else ops.cast(inputs, keras.config.floatx())


@register
class Loss(Layer):
    """A loss that lives in the graph: subclass it and write `compute_loss`.

    `layer([a, b, ...])` adds `compute_loss(inputs, mask)` (a scalar) to the model's
    losses and returns the inputs: all of them (output_axis=None), one (an int) or
    some (a list of ints). Train with `model.compile(optimizer=...)` and batches
    `(inputs, None)`.

    Numbers reach `compute_loss` as floats (keras.config.floatx()), ids and segments
    too, as in bert4keras: `loss * segment_ids` is an error on tensorflow otherwise.
    """

    def __init__(self, output_axis=None, **kwargs):
        # Without autocast: bfloat16 would round ids that come as floats.
        super().__init__(**{"autocast": False, **kwargs})
        self.output_axis = output_axis

    def call(self, inputs, mask=None):
        self.add_loss(self.compute_loss(_as_floats(inputs), mask))
        return self._select(inputs)

    def add_metric(self, value, aggregation=None, name=None):
        """Do nothing but warn: Keras 3 shows no numbers from inside a layer."""
        warnings.warn(
            f"{type(self).__name__}.add_metric({name!r}) shows nothing in Keras 3: "
            "train with targets and model.compile(loss=..., metrics=[...]), or compute "
            "the number in a callback. See docs/migration.md.",
            stacklevel=2,
        )

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
