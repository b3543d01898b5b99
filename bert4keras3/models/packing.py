"""Packed rows: several texts in one row, and the vectors of their first tokens."""

import contextlib
import dataclasses

import keras

from bert4keras3.layers import FirstToken, FirstTokens, PackedPositions

_HEADS = ("with_pool", "with_nsp", "with_mlm", "with_lm", "with_discriminator")


class Packing:
    """Mixin of Transformer: the input that says where texts begin, and what it means.

    packed: the rows of this model hold several texts. Masks and positions go by text,
    so that a text in a packed row has the vectors that it has in a row of its own.
    """

    packed = False
    with_first_token = False  # a family of a script may not know the option

    def start_input(self):
        """Input-Start, int32 (B, N); see `layers.packing`.

        Raises ValueError where texts of one row cannot be kept apart.
        """
        reason = self._never_packed()
        if reason:
            raise ValueError(
                f"packed=True of {type(self).__name__} is not possible: {reason}. "
                "Build it without packed, one text in a row."
            )
        return self.get(keras.Input, "Input-Start", shape=(None,), dtype="int32")

    def _never_packed(self):
        options = self.config.options
        if self.reads_memory:
            return "a decoder reads one memory in a row"
        if options.get("custom_position_ids"):
            return "custom_position_ids gives the positions, which packed=True counts"
        if self.attention_caches:
            return "attention_caches are seen by every text of a row"
        if self.layer_norm_conds[0] is not None:
            return "layer_norm_cond is one condition for a whole row"
        if options.get("conv_kernel_size"):
            return "a convolution (conv_kernel_size) runs across the borders of texts"
        return None

    def check_starts(self, inputs):
        """Raise ValueError for inputs of a pass without those of Input-Start."""
        if len(inputs) < self.own_inputs:
            raise ValueError(
                f"This {type(self).__name__} is built with packed=True: its last input "
                "is Input-Start (B, N), zeros (B, 1) for one text in a row. Received: "
                f"{len(inputs)} input(s), expected {self.own_inputs}. For generation, "
                "build it without packed."
            )

    def packed_positions(self, ids, starts):
        """Positions (B, T) of the tokens in their texts."""
        return self.get(PackedPositions, "Embedding-Packed-Position")([ids, starts])

    def first_tokens(self, x, name, axis=1):
        """What belongs to first tokens (B, N, ...), or as an axis of one: (B, 1, D)."""
        if self.packed:
            return self.get(FirstTokens, name, axis=axis)([x, self.ctx.starts])
        return self.get(FirstToken, name, keepdims=True)(x)

    def text_vectors(self, x, name):
        """Vectors of the first tokens: (B, D), of packed texts (B, N, D).

        x: what `trunk` gave; name: of the layer that takes them.
        """
        if not self.packed:
            return self.get(FirstToken, name)(x)
        return x if self.only_first_token() else self.first_tokens(x, name)

    @contextlib.contextmanager
    def first_queries(self):
        """Inside, the first tokens of the texts alone ask; the keys stay all tokens."""
        outer = self.ctx
        if self.packed:
            self.ctx = self._asked_by_first(outer)
        try:
            yield
        finally:
            self.ctx = outer

    def _asked_by_first(self, ctx):
        name, changed = "Pooler-Query-", {}
        changed["visible"] = self.first_tokens(ctx.visible, name + "Visible", axis=2)
        if ctx.rotary is not None:
            own = self.first_tokens(ctx.rotary, name + "Rotary")
            changed["rotary"] = (own, ctx.rotary)
        if ctx.relative is not None:
            own = self.first_tokens(ctx.relative, name + "Relative", axis=0)
            changed["relative"] = own
        return dataclasses.replace(ctx, **changed)

    def check_first_token(self):
        """Raise ValueError for with_first_token beside another head."""
        if not self.with_first_token:
            return
        for name in _HEADS:
            if name not in self.unsupported and getattr(self, name, False):
                raise ValueError(
                    "with_first_token=True gives the first token's vector alone. "
                    f"Received also {name}={getattr(self, name)!r}: choose one."
                )
