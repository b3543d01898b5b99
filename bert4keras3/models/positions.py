"""Position strategies: what a family does with positions, asked once per pass.

A strategy is stateless; `t` is the Transformer, from which it gets named layers.
"""

from keras import ops

from bert4keras3.layers import (
    DistanceEmbedding,
    LayerNormalization,
    PositionEmbedding,
    RelativePositionEmbedding,
    RelativePositionEmbeddingT5,
    ScaleOffset,
    SinusoidalPositionEmbedding,
)


class PositionEncoding:
    """No positions at all: the base of the strategies."""

    ids_dtype = "int32"

    # `positions`: explicit ones of the tokens, (B|1, T), None for 0..T-1; `keys`:
    # those of cached tokens, (B, S), that the tokens look at, None for themselves.

    def limit(self, t):
        """Number of positions there are, or None."""
        return

    def embed(self, t, x, positions):
        """Add positions to the embedded tokens `x: (B, T, E)`."""
        return x

    def rotary(self, t, ids, positions):
        """Return the table (B|1, T, K) that turns queries and keys, or None."""
        return

    def relative(self, t, ids, positions, keys=None):
        """Return vectors ([B,] T, S, K) for scores and values, or None."""
        return

    def bias(self, t, ids, positions, keys=None):
        """Return scores (B|1, H|1, T, S) to add in every block, or None."""
        return


class Learned(PositionEncoding):
    """A trained table, continued hierarchically on request."""

    def limit(self, t):
        return t.max_position**2 if t.hierarchical_position else t.max_position

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
            **self.frequencies(t),
        )
        return layer(ids if positions is None else [ids, positions])

    def frequencies(self, t):
        """Further arguments of the table: `base` and `scaling`."""
        return {}


class ScaledRotary(Rotary):
    """Rotary positions with the family's rope_theta and rope_scaling (Llama)."""

    def frequencies(self, t):
        return {"base": t.rope_theta, "scaling": t.rope_scaling}


class RelativeSinusoidal(PositionEncoding):
    """Fixed vectors of clipped distances, inside scores and values (NEZHA)."""

    def relative(self, t, ids, positions, keys=None):
        if t.attention_key_size != t.attention_head_size:
            raise ValueError(
                "Relative positions are added to keys and values alike, so that "
                "attention_key_size must equal attention_head_size. Received: "
                f"{t.attention_key_size} and {t.attention_head_size}"
            )
        layer = t.get(
            RelativePositionEmbedding,
            "Embedding-Relative-Position",
            input_dim=2 * t.max_relative_position + 1,
            output_dim=t.attention_key_size,
            embeddings_initializer=None,
        )
        return layer([ids, ids]) if keys is None else layer.between(positions, keys)


class Buckets(PositionEncoding):
    """One trained score per head and bucket of distances, for all blocks (T5)."""

    def bias(self, t, ids, positions, keys=None, memory=None):
        """memory: (B, S, ...) to look at instead of `ids: (B, T)`; lengths matter."""
        layer = t.get(
            RelativePositionEmbeddingT5,
            "Embedding-Relative-Position",
            input_dim=t.relative_attention_num_buckets,
            output_dim=t.num_attention_heads,
            max_distance=t.relative_attention_max_distance,
            bidirectional=t.visibility == "encoder",
            embeddings_initializer=t.initializer,
            heads_first=True,
        )
        if memory is not None and positions is not None:
            keys = ops.expand_dims(ops.arange(ops.shape(memory)[1]), 0)
        if keys is not None:
            return layer.between(positions, keys)
        return layer([ids, ids if memory is None else memory])


class Distances(Learned):
    """Vectors of distances for scores of their own (DeBERTa); a table on request."""

    def limit(self, t):
        return super().limit(t) if t.position_biased_input else None

    def embed(self, t, x, positions):
        return super().embed(t, x, positions) if t.position_biased_input else x

    def relative(self, t, ids, positions, keys=None):
        name, reach = "Embedding-Relative-Position", t.max_relative_positions
        layer = t.get(
            DistanceEmbedding,
            name,
            output_dim=t.hidden_size,
            buckets=max(t.position_buckets, 0),
            max_distance=reach if reach > 0 else t.max_position,
            embeddings_initializer=t.initializer,
        )
        rows = layer(ids) if keys is None else layer.rows(positions - keys)
        if "layer_norm" not in t.norm_rel_ebd:
            return rows
        norm = t.get(LayerNormalization, name + "-Norm", epsilon=t.layer_norm_eps)
        return norm(rows)


class Offset(PositionEncoding):
    """Scaled tokens and a trained table with two rows that are no positions (BART)."""

    def limit(self, t):
        return t.max_position

    def embed(self, t, x, positions):
        if t.scale_embedding:
            layer = {"scale": t.embedding_size**0.5, "offset": False}
            x = t.get(ScaleOffset, "Embedding-Scale", **layer)(x)
        layer = t.get(
            PositionEmbedding,
            "Embedding-Position",
            input_dim=t.max_position,
            output_dim=t.embedding_size,
            embeddings_initializer=t.initializer,
            custom_position_ids=positions is not None,
            offset=2,
        )
        return layer(x if positions is None else [x, positions])
