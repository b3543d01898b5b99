"""Who may look at whom: one rule for padding, causal, UniLM and packed inputs.

    visible(query, key) = valid[key] and order[key] <= order[query]
                          and group[key] == group[query]

B batch, T queries, S keys.
"""

from typing import Any, NamedTuple

import keras
from keras import ops

from bert4keras3.layers.base import Layer, register
from bert4keras3.layers.embeddings import first_token_always, real_tokens
from bert4keras3.layers.packing import texts_of

KINDS = ("encoder", "lm", "unilm")


class Visibility(NamedTuple):
    """The rule as vectors with one entry per key slot, which a cache can carry.

    valid: (B, S) bool, a real token; order: (B|1, S) int32, or None when every
    token sees every token; group: (B, S) int32, the number of the token's text in
    a packed row, or None when a row is one text.
    """

    valid: Any
    order: Any = None
    group: Any = None

    def matrix(self, query_order=None):
        """Bool tensor (B, 1, T|1, S); queries default to the key slots themselves."""
        keys = self.valid[:, None, None, :]
        if self.group is not None:
            same = self.group[:, None, :, None] == self.group[:, None, None, :]
            keys = ops.logical_and(keys, same)
        if self.order is None:
            return keys
        query_order = self.order if query_order is None else query_order
        earlier = self.order[:, None, None, :] <= query_order[:, None, :, None]
        return ops.logical_and(keys, earlier)


def visibility(
    kind, ids, segments=None, segments_mask=False, pad_token_id=0, starts=None
):
    """Build the rule from token and segment ids, both (B, T).

    kind: "encoder" (padding only), "lm" (causal) or "unilm" (segment 0 sees itself,
    segment 1 is causal and sees segment 0, https://arxiv.org/abs/1905.03197).
    segments_mask: segment id 0 hides the token as well (shared segment embeddings);
    pad_token_id: the id that is no token, None when every id is one; starts: (B, N),
    where the texts of packed rows begin, see `layers.packing`.
    """
    if kind not in KINDS:
        raise ValueError(f"Visibility must be one of {KINDS}. Received: {kind!r}")
    valid = real_tokens(ids, pad_token_id)
    if segments_mask:
        shown = first_token_always(ops.not_equal(segments, 0))
        valid = ops.logical_and(valid, shown)
    group = None
    if starts is not None:
        group, positions = texts_of(starts, ops.shape(ids)[1])
        valid = ops.logical_or(valid, positions == 0)
    if kind == "encoder":
        return Visibility(valid, None, group)
    if kind == "lm":
        order = ops.expand_dims(ops.arange(ops.shape(ids)[1]), 0)
        return Visibility(valid, order, group)
    if segments is None:
        raise ValueError(
            "application='unilm' needs segment ids, but this model has no segment "
            "input. Build it with segment_vocab_size=2, or use application='lm'."
        )
    # Sums over the whole row: inside a text they rise as those of the text do.
    order = ops.cumsum(ops.cast(segments, "int32"), axis=1)
    return Visibility(valid, order, group)


def fitted(visible, queries, keys):
    """Extend visibility over keys that stand in front of it, cut it to the queries."""
    if visible is None:
        return None
    if visible.shape[-2] != 1:
        visible = visible[:, :, : ops.shape(queries)[1]]
    extra = ops.shape(keys)[1] - ops.shape(visible)[-1]
    if isinstance(extra, int) and extra == 0:
        return visible
    front = ops.ones((*ops.shape(visible)[:-1], extra), dtype="bool")
    return ops.concatenate([front, visible], axis=-1)


@register
class AttentionMask(Layer):
    """Compute the visibility matrix once per pass: bool (B, 1, T|1, S).

    kind, segments_mask, pad_token_id: see `visibility`; packed: the last input is
    starts (B, N). Inputs: token ids (B, T), or a list of token and segment ids and
    starts.
    """

    def __init__(
        self,
        kind="encoder",
        segments_mask=False,
        pad_token_id=0,
        packed=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.pad_token_id = pad_token_id
        self.kind = kind
        self.segments_mask = segments_mask
        self.packed = packed

    def call(self, inputs):
        ids, segments, starts = self._sorted(inputs)
        hidden = self.segments_mask, self.pad_token_id
        return visibility(self.kind, ids, segments, *hidden, starts).matrix()

    def _sorted(self, inputs):
        """(ids, segments or None, starts or None)."""
        many = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
        starts = many.pop() if self.packed else None
        return many[0], many[1] if len(many) > 1 else None, starts

    def compute_mask(self, inputs, mask=None):
        return None

    def compute_output_spec(self, inputs):
        ids, segments, _ = self._sorted(inputs)
        if self.kind == "unilm" and segments is None:
            visibility("unilm", ids)  # raises the error that says what to do
        batch, length = ids.shape
        queries = 1 if self.kind == "encoder" and not self.packed else length
        return keras.KerasTensor((batch, 1, queries, length), dtype="bool")


@register
class MemoryMask(Layer):
    """The Keras mask of `x: (B, S, D)` as a visibility, bool (B, 1, 1, S).

    Everything is visible without one. Keras hands no implicit mask to a layer that
    takes further tensors, so that cross-attention cannot read it itself.
    """

    def call(self, inputs, mask=None):
        if mask is None:
            mask = ops.ones(ops.shape(inputs)[:2], dtype="bool")
        return ops.cast(mask, "bool")[:, None, None, :]

    def compute_mask(self, inputs, mask=None):
        return None

    def compute_output_spec(self, inputs, mask=None):
        batch, length = inputs.shape[:2]
        return keras.KerasTensor((batch, 1, 1, length), dtype="bool")
