"""Position strategies: what a family does with positions, asked once per pass.

A strategy is stateless; `t` is the Transformer, from which it gets named layers.
"""

from bert4keras3.layers import PositionEmbedding, SinusoidalPositionEmbedding


class PositionEncoding:
    """No positions at all: the base of the strategies."""

    ids_dtype = "int32"

    def embed(self, t, x, positions):
        """Add positions to the embedded tokens `x: (B, T, E)`."""
        return x

    def rotary(self, t, ids, positions):
        """Return the table (B|1, T, K) that turns queries and keys, or None."""
        return

    def relative(self, t, ids, positions):
        """Return vectors (T, T, K) for scores and values, or None."""
        return

    def bias(self, t, ids, positions):
        """Return scores (B|1, H|1, T, T) to add in every block, or None."""
        return


class Learned(PositionEncoding):
    """A trained table, continued hierarchically on request."""

    def embed(self, t, x, positions):
        layer = t.get(
            PositionEmbedding,
            "Embedding-Position",
            input_dim=t.max_position,
            output_dim=t.embedding_size,
            merge_mode="add",
            hierarchical=t.hierarchical_position,
            embeddings_initializer=t.initializer,
            custom_position_ids=positions is not None,
        )
        return layer(x if positions is None else [x, positions])


class Rotary(PositionEncoding):
    """Rotary positions (https://kexue.fm/archives/8265); ids may be fractional."""

    ids_dtype = "float32"

    def rotary(self, t, ids, positions):
        layer = t.get(
            SinusoidalPositionEmbedding,
            "Embedding-Rotary-Position",
            output_dim=t.attention_key_size,
            merge_mode="zero",
            custom_position_ids=positions is not None,
        )
        return layer(ids if positions is None else [ids, positions])
