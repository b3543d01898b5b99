"""Rows of an embedding table that are trained while the table is frozen."""

import numpy as np
from keras import ops

from bert4keras3.backend.lookups import used_whole
from bert4keras3.backend.tables import gather_rows
from bert4keras3.layers.adapters import Adapted


def _is_id(value, size):
    """Whether a value is a whole number in [0, size)."""
    return isinstance(value, (int, np.integer)) and 0 <= value < size


class PromptRows(Adapted):
    """Mixin of Embedding: trainable rows in the place of some of the table's."""

    prompt_ids = ()  # the tokens they belong to

    def enable_prompt(self, ids):
        """Train the rows of these token ids alone: P-tuning.

        They live in `prompt_rows: (n, D)`, start as what the table holds, and take the
        place of its rows in lookups and in the output projection
        (https://kexue.fm/archives/8295, https://arxiv.org/abs/2103.10385).
        Raises ValueError for ids that are none of the table's, or not distinct.
        """
        self.check_prompt(ids)
        self._tracker.unlock()
        with self.beside_weight():
            self.prompt_rows = self.add_weight(
                name="prompt_rows",
                shape=(len(ids), self.output_dim),
                initializer="zeros",
                dtype="float32",
            )
        self._tracker.lock()
        self.prompt_ids = tuple(int(one) for one in ids)
        self._embeddings.trainable = False
        self.reset_adapter()

    def check_prompt(self, ids):
        """Raise the ValueError of `enable_prompt`."""
        known = len(ids) and all(_is_id(one, self.input_dim) for one in ids)
        if not known or len(set(ids)) < len(ids) or self.prompt_ids:
            raise ValueError(
                f"Layer {self.name!r} expects distinct ids in [0, {self.input_dim}), "
                f"and only once. Received: {ids}. So far it trains those of "
                f"{list(self.prompt_ids)}, which merge_prompt() ends."
            )

    @property
    def embeddings(self):
        """The table (V, D): the variable, or a tensor with the trained rows in it."""
        used_whole(self)
        return self.whole_table()

    def whole_table(self):
        """`embeddings`, for what looks up rows of it and tells `Lookups` those."""
        table = super().embeddings
        if not self.prompt_ids:
            return table
        where = np.array(self.prompt_ids, "int32")[:, None]
        return ops.scatter_update(
            table, where, ops.cast(self.prompt_rows, self.variable_dtype)
        )

    def with_prompt(self, ids, rows):
        """Put the trained rows into those looked up, (..., D)."""
        hits = ops.equal(ops.expand_dims(ids, -1), np.array(self.prompt_ids, "int32"))
        own = ops.convert_to_tensor(self.prompt_rows)
        own = gather_rows(own, ops.cast(ops.argmax(hits, axis=-1), "int32"))
        known = ops.any(hits, axis=-1, keepdims=True)
        return ops.where(known, ops.cast(own, rows.dtype), rows)

    # --- see Adapted -----------------------------------------------------------

    @property
    def adapter_names(self):
        return ("prompt_rows",) if self.prompt_ids else ()

    @property
    def frozen_weight(self):
        return self._embeddings

    def own_weights(self):
        return [self._embeddings]

    def merged(self, prompt_rows, prompt_ids=None):
        ids = self.prompt_ids if prompt_ids is None else prompt_ids
        table = ops.cast(self._embeddings, "float32")
        return ops.scatter_update(table, np.array(ids, "int32")[:, None], prompt_rows)

    def adapter_settings(self):
        return {"prompt_ids": np.array(self.prompt_ids, "int32")}

    def reset_adapter(self):
        rows = np.array(self.prompt_ids, "int32")
        table = ops.convert_to_tensor(self._embeddings)
        self.prompt_rows.assign(ops.take(table, rows, axis=0))

    def drop_adapter(self):
        self._untrack_variable(self.prompt_rows)
        self.prompt_ids, self.prompt_rows = (), None
