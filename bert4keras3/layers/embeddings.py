"""Token, learned position and sinusoidal position embeddings."""

import keras
from keras import ops

from bert4keras3.backend import runtime
from bert4keras3.backend.distribution import over_batch
from bert4keras3.backend.lookups import looked_up
from bert4keras3.backend.tables import gather_rows
from bert4keras3.backend.tensors import sinusoidal_embeddings, sinusoidal_frequencies
from bert4keras3.layers.base import Layer, register
from bert4keras3.layers.prompt import PromptRows


def first_token_always(mask):
    """Mark the first step of `mask: (B, T)` as visible, whatever its id.

    T5 decoders start with id 0, which elsewhere means padding.
    """
    return ops.concatenate([ops.ones_like(mask[:, :1]), mask[:, 1:]], axis=1)


def real_tokens(ids, pad_token_id=0):
    """Bool (B, T): True for tokens, False for padding; None pads nothing."""
    if pad_token_id is None:
        return ops.ones_like(ids, dtype="bool")
    return first_token_always(ops.not_equal(ids, pad_token_id))


@register
class Embedding(PromptRows, keras.layers.Embedding):
    """Embedding table that is also usable as the output projection.

    `layer(ids)` looks up `ids: (B, T)` -> (B, T, D); `layer(x, mode="dense")`
    multiplies `x: (..., D)` by the transposed table -> (..., V).
    With `mask_zero=True` padding is masked except at position 0: the id
    `pad_token_id`, by default 0.
    `enable_prompt(ids)` freezes the table but for the rows of those ids.
    In mixed precision its rows are cast after the look-up, so that gradients of tokens
    that come often are added up in float32: in bfloat16 a sum stops growing soon.
    Raises ValueError for ids outside the table; inside a compiled program, where
    nothing can be raised, such ids give NaN rows.
    """

    def __init__(self, *args, pad_token_id=0, **kwargs):
        super().__init__(*args, **kwargs)
        self.pad_token_id = pad_token_id
        self.supports_masking = True

    def get_config(self):
        return {**super().get_config(), "pad_token_id": self.pad_token_id}

    def add_weight(self, *args, **kwargs):
        """As of any layer, but never cast as a whole."""
        return super().add_weight(*args, **{"autocast": False, **kwargs})

    def call(self, inputs, mode="embedding", training=None):
        if mode == "dense":
            table = ops.cast(self.embeddings, self.compute_dtype)
            return ops.matmul(
                ops.cast(inputs, self.compute_dtype), ops.transpose(table)
            )
        ids = ops.cast(inputs, "int32")
        if not runtime.is_traced(ids):
            self._check(ids)
        prompted = bool(self.prompt_ids)
        table = self._embeddings if prompted else self.whole_table()
        rows = _rows_at(ops.convert_to_tensor(table), ids, training)
        if prompted:
            rows = self.with_prompt(ids, rows)
        return looked_up(self, ops.cast(rows, self.compute_dtype), ids)

    def _check(self, ids):
        if 0 in ids.shape or runtime.device_kind() != "cpu":
            return  # reading back from an accelerator would stall every eager step
        low, high = int(ops.min(ids)), int(ops.max(ids))
        if low < 0 or high >= self.input_dim:
            raise ValueError(
                f"Layer {self.name!r} expects ids in [0, {self.input_dim}). Received "
                f"ids from {low} to {high}: use the vocabulary this model was built "
                "for, or build it with the matching vocab_size."
            )

    def compute_mask(self, inputs, mask=None):
        if not self.mask_zero or len(inputs.shape) != 2:
            return mask
        return real_tokens(inputs, self.pad_token_id)

    def compute_output_spec(self, inputs, mode="embedding"):
        size = self.input_dim if mode == "dense" else self.output_dim
        lead = inputs.shape[:-1] if mode == "dense" else inputs.shape
        return keras.KerasTensor((*lead, size), dtype=self.compute_dtype)


def _rows_at(table, ids, training):
    """Rows at ids; in training every device has a gradient of its own rows."""

    def own(rows, whole):
        return gather_rows(*whole, *rows), ()

    rows, whole = (ids,), (table,)
    return over_batch(own, rows, whole)[0] if training else own(rows, whole)[0]


class _Position(Layer):
    """How a table of positions meets the input: shared by the two layers below."""

    def _split(self, inputs):
        if isinstance(inputs, (list, tuple)):
            return inputs
        return inputs, ops.expand_dims(ops.arange(ops.shape(inputs)[1]), 0)

    def _merge(self, x, embeddings):
        embeddings = ops.cast(embeddings, x.dtype)
        if self.merge_mode == "add":
            return x + embeddings
        if self.merge_mode == "mul":
            return x * (embeddings + 1.0)
        shape = (*ops.shape(x)[:2], ops.shape(embeddings)[-1])
        return ops.concatenate([x, ops.broadcast_to(embeddings, shape)], axis=-1)

    def compute_mask(self, inputs, mask=None):
        return mask[0] if isinstance(mask, (list, tuple)) else mask


@register
class PositionEmbedding(_Position):
    """Learned absolute positions, optionally continued hierarchically.

    input_dim: number of trained positions N; output_dim: D; merge_mode: "add",
    "mul" (x * (1 + p)), "zero" (p alone) or "concat"; hierarchical: None, True
    (alpha 0.4) or alpha: N trained rows serve N * N positions
    (https://kexue.fm/archives/7947); custom_position_ids: inputs are
    [x: (B, T, D), position ids: (B, T)] instead of x (a decoding step passes both in
    any case); offset: rows in front that are no positions (BART has 2).
    Raises ValueError when a sequence is longer than the table.
    """

    def __init__(
        self,
        input_dim,
        output_dim,
        merge_mode="add",
        hierarchical=None,
        embeddings_initializer="zeros",
        custom_position_ids=False,
        offset=0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.input_dim = input_dim
        self.output_dim = output_dim
        self.merge_mode = merge_mode
        self.hierarchical = hierarchical
        self.embeddings_initializer = keras.initializers.get(embeddings_initializer)
        self.custom_position_ids = custom_position_ids
        self.offset = offset

    def build(self, input_shape):
        self.embeddings = self.add_weight(
            name="embeddings",
            shape=(self.offset + self.input_dim, self.output_dim),
            initializer=self.embeddings_initializer,
            autocast=False,  # see Embedding
        )

    def call(self, inputs):
        x, positions = self._split(inputs)
        if x is inputs:
            self._check_length(x.shape[1])
        rows = self._rows(ops.cast(positions, "int32"))
        return (
            ops.cast(rows, x.dtype)
            if self.merge_mode == "zero"
            else self._merge(x, rows)
        )

    def _rows(self, positions):
        table = ops.convert_to_tensor(self.embeddings)
        if self.offset:
            table = table[self.offset :]
        if not self.hierarchical:
            return gather_rows(table, positions)
        alpha = 0.4 if self.hierarchical is True else float(self.hierarchical)
        coarse = (table - alpha * table[:1]) / (1.0 - alpha)
        major = gather_rows(coarse, positions // self.input_dim)
        minor = gather_rows(coarse, positions % self.input_dim)
        return alpha * major + (1.0 - alpha) * minor

    def _check_length(self, length):
        limit = self.input_dim**2 if self.hierarchical else self.input_dim
        if isinstance(length, int) and length > limit:
            raise ValueError(
                f"Layer {self.name!r} has positions for {limit} tokens. Received a "
                f"batch of length {length}: truncate the texts (maxlen={limit}), or "
                "build the model with hierarchical_position=True."
            )

    def compute_output_spec(self, inputs):
        x = inputs[0] if isinstance(inputs, (list, tuple)) else inputs
        if x is inputs:
            self._check_length(x.shape[1])
        lead = tuple(x.shape[:2])
        if self.merge_mode == "zero" and x is inputs:
            lead = (1, *lead[1:])
        return keras.KerasTensor(
            (*lead, _merged_size(self, x)), dtype=self.compute_dtype
        )


def _merged_size(layer, x):
    if layer.merge_mode in ("add", "mul"):
        return x.shape[-1]
    return layer.output_dim + (0 if layer.merge_mode == "zero" else x.shape[-1])


@register
class SinusoidalPositionEmbedding(_Position):
    """Fixed interleaved sine and cosine positions, of any length.

    Arguments and inputs as in PositionEmbedding; fractional position ids work.
    With merge_mode "zero" the table is returned alone, in float32. base, scaling: of
    the frequencies, see `backend.tensors.sinusoidal_frequencies`.
    """

    def __init__(
        self,
        output_dim,
        merge_mode="add",
        custom_position_ids=False,
        base=10000,
        scaling=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.output_dim = output_dim
        self.merge_mode = merge_mode
        self.custom_position_ids = custom_position_ids
        self.base = base
        self.scaling = scaling
        sinusoidal_frequencies(output_dim, base, scaling)  # raises for wrong ones

    def call(self, inputs):
        x, positions = self._split(inputs)
        table = sinusoidal_embeddings(
            positions, self.output_dim, self.base, self.scaling
        )
        return table if self.merge_mode == "zero" else self._merge(x, table)

    def compute_output_spec(self, inputs):
        x = inputs[0] if isinstance(inputs, (list, tuple)) else inputs
        alone = self.merge_mode == "zero"
        lead = tuple(x.shape[:2])
        if alone and x is inputs:
            lead = (1, *lead[1:])
        dtype = "float32" if alone else self.compute_dtype
        return keras.KerasTensor((*lead, _merged_size(self, x)), dtype=dtype)
