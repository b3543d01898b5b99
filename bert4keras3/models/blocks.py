"""The default text of a model: BERT's embeddings and post-norm blocks."""

import keras

from bert4keras3.layers import (
    Add,
    Dense,
    Dropout,
    Embedding,
    FeedForward,
    LayerNormalization,
    MultiHeadAttention,
)
from bert4keras3.models.positions import PositionEncoding


class Blocks:
    """Mixin of Transformer: the parts that families declare or override.

    position: strategy of `models.positions`; pre_norm: norm each sub-layer's input
    instead of the sum behind it; norm_epsilon, norm_arguments: of every
    LayerNormalization; use_bias: of every dense layer;
    pooler_hidden_act: of the pooler, unless with_pool names another.
    """

    position = PositionEncoding()
    pre_norm = False
    norm_epsilon = None
    norm_arguments = {}
    use_bias = True
    pooler_hidden_act = "tanh"

    @property
    def feed_forward_activation(self):
        """One activation, or the list of a gated feed-forward network."""
        return self.hidden_act

    @property
    def initializer(self):
        """A new kernel initializer, each has its own seed: truncated normal, 0.02."""
        return keras.initializers.TruncatedNormal(stddev=0.02)

    def get_inputs(self):
        """Input-Token, Input-Segment, Input-Position: the last two if configured."""

        def make(name, dtype="int32"):
            return self.get(
                keras.layers.Input, name, shape=(self.sequence_length,), dtype=dtype
            )

        inputs = [make("Input-Token")]
        if self.segment_vocab_size:
            inputs.append(make("Input-Segment"))
        if self.config.options.get("custom_position_ids"):
            inputs.append(make("Input-Position", self.position.ids_dtype))
        return inputs

    def apply_embeddings(self, inputs):
        """Token + segment + position embeddings -> (B, T, D).

        inputs: those of the pass. A script may call it with others (symbols); from
        then on `apply_main_layers` and `apply_final_layers` are about those.
        """
        many = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
        known = [id(one) for one in self.ctx.inputs or many]
        if self.model is not None and id(many[0]) not in known:
            self.ctx = self.context(many)
        ctx = self.ctx
        token = self.get(
            Embedding,
            "Embedding-Token",
            input_dim=self.vocab_size,
            output_dim=self.embedding_size,
            embeddings_initializer=self.initializer,
            mask_zero=True,
            pad_token_id=self.pad_token_id,
        )
        x = token(ctx.ids)
        if ctx.segments is not None:
            x = self.get(Add, "Embedding-Token-Segment")(
                [x, self._segments(token, ctx)]
            )
        return self.finish_embeddings(self.position.embed(self, x, ctx.positions))

    def _segments(self, token, ctx):
        if self.shared_segment_embeddings:
            return token(ctx.segments)
        layer = self.get(
            Embedding,
            "Embedding-Segment",
            input_dim=self.segment_vocab_size,
            output_dim=self.embedding_size,
            embeddings_initializer=self.initializer,
        )
        return layer(ctx.segments)

    def finish_embeddings(self, x):
        """Norm, dropout and projection to the hidden size."""
        x = self.norm(x, "Embedding-Norm")
        x = self.apply(x, Dropout, name="Embedding-Dropout", rate=self.dropout_rate)
        return self.mapped(
            x, "Embedding-Mapping", self.embedding_size, self.hidden_size
        )

    def mapped(self, x, name, size, target, use_bias=None):
        """Dense projection from `size` to `target`, nothing when they are equal."""
        if size == target:
            return x
        layer = self.get(
            Dense,
            name,
            units=target,
            use_bias=self.use_bias if use_bias is None else use_bias,
            kernel_initializer=self.initializer,
        )
        return layer(x)

    def layer_name(self, index, part):
        """Name of a part of block `index`; public, scripts address layers by it."""
        return f"Transformer-{index}-{part}"

    def apply_main_layers(self, inputs, index, first=False):
        """One block: attention and feed-forward, each with residual and norm.

        first: compute the block's output for first tokens only, (B, 1, D) or, of
        packed texts, (B, N, D).
        """
        name = self.layer_name(index, "MultiHeadSelfAttention")
        x, keys = inputs, None
        if first:
            x = self.first_tokens(inputs, "Pooler-Query")
            keys = self.norm(inputs, name + "-Norm") if self.pre_norm else inputs
        x = self.sublayer(x, name, lambda x: self.attend(x, index, name, keys))
        name = self.layer_name(index, "FeedForward")
        return self.sublayer(x, name, lambda x: self.feed_forward(x, name))

    def sublayer(self, x, name, function):
        """One residual step: norm(x + function(x)), or x + function(norm(x))."""
        if not self.pre_norm:
            return self.residual(x, function(x), name)
        return self.added(x, function(self.norm(x, name + "-Norm")), name)

    def feed_forward(self, x, name):
        """The feed-forward network of one block."""
        layer = self.get(
            FeedForward,
            name,
            units=self.intermediate_size,
            activation=self.feed_forward_activation,
            use_bias=self.use_bias,
            kernel_initializer=self.initializer,
        )
        return layer(x)

    def attend(self, x, index, name, keys=None):
        """Self-attention of one block, through the context.

        x: (B, T, D), the queries; keys: (B, S, D), what they look at, default x.
        """
        layer = self.attention_layer(name)
        own = type(self).compute_attention_bias is not Blocks.compute_attention_bias
        bias = self.compute_attention_bias(index) if own else None
        pair = None if keys is None or keys is x else (keys, keys)
        if layer.name in self.attention_caches:
            pair = self._cached(layer.name, *(pair or (x, x)))
        return self.ctx.attend(layer, x, index, pair, bias)

    def attention_layer(self, name, cls=MultiHeadAttention, **arguments):
        """The attention layer of that name; arguments: others, or in place of these."""
        usual = {
            "heads": self.num_attention_heads,
            "head_size": self.attention_head_size,
            "out_dim": self.hidden_size,
            "key_size": self.attention_key_size,
            "use_bias": self.use_bias,
            "attention_dropout": self.attention_dropout_rate,
            "return_attention_scores": self.residual_attention_scores,
            "kernel_initializer": self.initializer,
        }
        return self.get(cls, name, **{**usual, **arguments})

    def residual(self, x, y, name):
        """Post-norm: norm(x + dropout(y))."""
        return self.norm(self.added(x, y, name), name + "-Norm")

    def added(self, x, y, name):
        """x + dropout(y)."""
        y = self.apply(y, Dropout, name=name + "-Dropout", rate=self.dropout_rate)
        return self.get(Add, name + "-Add")([x, y])

    def norm(self, x, name, epsilon=None):
        """Layer normalisation, conditional if the model was built with a condition."""
        cond = self.ctx.cond
        extra = dict(self.norm_arguments)
        if cond is not None:
            extra.update(
                conditional=True,
                hidden_units=self.layer_norm_conds[1],
                hidden_activation=self.layer_norm_conds[2],
                hidden_initializer=self.initializer,
            )
        epsilon = epsilon or self.layer_norm_eps or self.norm_epsilon
        layer = self.get(LayerNormalization, name, epsilon=epsilon, **extra)
        return layer(x if cond is None else [x, cond])

    def apply_final_layers(self, inputs):
        """Heads; the base class has none."""
        return inputs

    def compute_attention_bias(self, inputs=None):
        """Bool mask of an lm or unilm pass, None for an encoder.

        A subclass that overrides this adds its own mask or bias to every block;
        `inputs` is the block index, as in bert4keras.
        """
        return None if self.visibility == "encoder" else self.ctx.visible

    def compute_position_bias(self, inputs=None):
        """Rotary table of the pass, None without one."""
        return self.ctx.rotary
