"""Transformer: wires named layers into a functional model; families declare differences.

The hooks keep bert4keras's names, because scripts override and call them:
`get_inputs`, `apply_embeddings`, `apply_main_layers`, `apply_final_layers`,
`compute_attention_bias`, `compute_position_bias`, `variable_mapping`, `load_variable`.
"""

import dataclasses

import keras

from bert4keras3.layers import (
    Add,
    AttentionMask,
    Concatenate1D,
    Dropout,
    Embedding,
    FeedForward,
    FirstToken,
    LayerNormalization,
    MultiHeadAttention,
)
from bert4keras3.models.awaiting import AwaitingWeights
from bert4keras3.models.config import ModelConfig
from bert4keras3.models.context import Context
from bert4keras3.models.positions import PositionEncoding
from bert4keras3.models.weights import Weights

_MASK_NAMES = {
    "encoder": "Attention-Mask",
    "lm": "Attention-LM-Mask",
    "unilm": "Attention-UniLM-Mask",
}


class Transformer(Weights):
    """Base of all families: a post-norm encoder unless a family says otherwise.

    config: path, folder or dict of the config (see `ModelConfig.load`); layers:
    {name: layer} to share with another model; prefix: put before every layer name;
    name: of the Keras model; ignore_invalid_weights, autoresize_weights: see
    `load`; kwargs: config keys and family options, which win over the config.
    """

    model_type = None
    names = ()
    position = PositionEncoding()
    visibility = "encoder"
    norm_epsilon = None
    norm_arguments = {}
    use_bias = True
    options = {"residual_attention_scores": False}
    unsupported = {}
    ignored_keys = frozenset()

    def __init__(
        self,
        config=None,
        layers=None,
        prefix=None,
        name=None,
        ignore_invalid_weights=False,
        autoresize_weights=False,
        **kwargs,
    ):
        kwargs = self._supported(kwargs)
        self.config = ModelConfig.load(
            config, self.options, ignored=self.ignored_keys, **kwargs
        )
        # Scripts read sizes and options straight from the builder.
        for field in dataclasses.fields(self.config):
            if field.name != "options":
                setattr(self, field.name, getattr(self.config, field.name))
        for option, value in self.config.options.items():
            setattr(self, option, value)
        self.vocab_size = self.config.full_vocab_size
        self.embedding_size = self.config.embedding_size or self.hidden_size
        self.attention_head_size = self.config.head_size
        self.attention_key_size = self.config.key_size
        self.ignore_invalid_weights = ignore_invalid_weights
        self.autoresize_weights = autoresize_weights
        self.layers = {} if layers is None else layers
        self.prefix = prefix or ""
        self.name = name
        self.model = None
        self.awaiting_weights = False
        self.ctx = None
        self.attention_caches = {}
        self.layer_norm_conds = [None, None, None]

    def _supported(self, kwargs):
        for key, reason in self.unsupported.items():
            if kwargs.get(key):
                raise ValueError(f"{key}={kwargs[key]!r} is not possible: {reason}.")
        return {k: v for k, v in kwargs.items() if k not in self.unsupported}

    # --- building -------------------------------------------------------------

    def build(
        self,
        attention_caches=None,
        layer_norm_cond=None,
        layer_norm_cond_hidden_size=None,
        layer_norm_cond_hidden_act=None,
        additional_input_layers=None,
        awaiting_weights=False,
    ):
        """Create inputs, layers and `self.model`; a second call does nothing.

        attention_caches: {attention layer name: [k, v]}, tensors (B, S, D) put in
        front of that layer's keys and values; layer_norm_cond: (B, C), the condition
        of every LayerNormalization; additional_input_layers: Input or list of Inputs
        those come from; awaiting_weights: leave kernels zero, `load` follows.
        """
        if self.model is not None:
            return
        self.awaiting_weights = awaiting_weights
        if layer_norm_cond is not None and "layer_norm_cond" in self.unsupported:
            reason = self.unsupported["layer_norm_cond"]
            raise ValueError(f"layer_norm_cond is not possible: {reason}.")
        self.attention_caches = attention_caches or {}
        self.layer_norm_conds = [
            layer_norm_cond,
            layer_norm_cond_hidden_size,
            layer_norm_cond_hidden_act or "linear",
        ]
        inputs = self.get_inputs()
        inputs = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
        self.set_inputs(inputs, additional_input_layers)
        self.ctx = self.context(inputs)
        outputs = self.call(self.simplify(inputs))
        self.set_outputs(outputs)
        self.model = keras.Model(self.input, self.output, name=self.name)

    def call(self, inputs):
        """Embeddings, blocks, heads: the one forward of the family."""
        x = self.apply_embeddings(inputs)
        for index in range(self.num_hidden_layers):
            before, x = x, self.apply_main_layers(x, index)
        if self.model is None and self.only_first_token():
            # The heads look at one token: let the last block compute just that one.
            # The whole block stays in the graph under its names, but a model whose
            # output is the head never runs it.
            x = self.apply_main_layers(before, self.num_hidden_layers - 1, first=True)
        return self.apply_final_layers(x)

    def only_first_token(self):
        """Whether the heads read nothing but the first token of the last block."""
        return False

    def forward(self, inputs, ctx=None):
        """Run the same forward on real or traced tensors, with the built layers.

        inputs: as of the model, a tensor or list; ctx: a Context, for example with a
        decoding cache; by default one is computed from the inputs.
        """
        outer = self.ctx
        many = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
        self.ctx = self.context(many) if ctx is None else ctx
        try:
            return self.call(self.simplify(many))
        finally:
            self.ctx = outer

    def context(self, inputs):
        """Compute what all blocks share from the list of inputs."""
        ids, *rest = inputs
        segments = rest.pop(0) if self.segment_vocab_size and rest else None
        custom = self.config.options.get("custom_position_ids") and rest
        ctx = Context(ids, segments, positions=rest.pop(0) if custom else None)
        ctx.cond = self.layer_norm_conds[0]
        ctx.visible = self.attention_mask(ids, segments)
        ctx.rotary = self.position.rotary(self, ids, ctx.positions)
        return ctx

    def attention_mask(self, ids, segments):
        """Visibility matrix of the whole pass, from ids and segments (B, T)."""
        shared = bool(self.config.options.get("shared_segment_embeddings"))
        layer = self.get(
            AttentionMask,
            _MASK_NAMES[self.visibility],
            kind=self.visibility,
            segments_mask=shared and segments is not None,
        )
        needed = segments is not None and (shared or self.visibility == "unilm")
        return layer([ids, segments] if needed else ids)

    # --- layers by name -------------------------------------------------------

    def prefixed(self, name):
        """Put the model's prefix before a layer name."""
        return None if name is None else self.prefix + name

    def get(self, cls, name, **arguments):
        """Return the layer of that name, made on first use: re-use is weight tying."""
        name = self.prefixed(name)
        if name not in self.layers:
            self.layers[name] = cls(name=name, **arguments)
        return self.layers[name]

    def apply(self, inputs=None, layer=None, arguments=None, **kwargs):
        """Call `layer(**kwargs)`, made or re-used by name, on inputs.

        arguments: keyword arguments of the call; inputs=None returns the layer.
        Dropout layers vanish when the model's dropout_rate is 0.
        """
        if issubclass(layer, keras.layers.Dropout) and not self.dropout_rate:
            return inputs
        arguments = dict(arguments or {})
        if issubclass(layer, MultiHeadAttention) and self.residual_attention_scores:
            kwargs.setdefault("return_attention_scores", True)
        if issubclass(layer, keras.layers.Lambda):
            kwargs.setdefault("arguments", arguments)
            arguments = {}
        kwargs = dict(kwargs)
        name = kwargs.pop("name", None) or keras.utils.get_uid(layer.__name__)
        made = self.get(layer, name if isinstance(name, str) else f"{layer.__name__}-{name}",
                        **kwargs)
        if inputs is None:
            return made
        if isinstance(made, MultiHeadAttention):
            return self._apply_attention(made, inputs, arguments)
        return made(inputs, **arguments)

    def _apply_attention(self, layer, inputs, arguments):
        """Attention wired by a subclass itself: caches and residual scores."""
        if layer.name in self.attention_caches:
            inputs = list(inputs)
            inputs[1:3] = self._cached(layer.name, inputs[1], inputs[2])
        if layer.return_attention_scores and self.ctx.scores is not None:
            arguments["residual"] = self.ctx.scores
        outputs = layer(inputs, **arguments)
        if layer.return_attention_scores:
            outputs, self.ctx.scores = outputs
        return outputs

    def _cached(self, name, keys, values):
        k, v = self.attention_caches[name]
        bare = name.removeprefix(self.prefix)
        return (
            self.get(Concatenate1D, bare + "-Cached-Key")([k, keys]),
            self.get(Concatenate1D, bare + "-Cached-Value")([v, values]),
        )

    # --- the parts families declare or override -------------------------------

    @property
    def initializer(self):
        """A new kernel initializer; while weights are awaited, zeros."""
        return AwaitingWeights() if self.awaiting_weights else self.random_initializer()

    def random_initializer(self):
        """A new random initializer, each has its own seed: truncated normal, 0.02."""
        return keras.initializers.TruncatedNormal(stddev=0.02)

    def get_inputs(self):
        """Input-Token, Input-Segment, Input-Position: the last two if configured."""
        def make(name, dtype="int32"):
            return self.get(keras.layers.Input, name, shape=(self.sequence_length,),
                            dtype=dtype)

        inputs = [make("Input-Token")]
        if self.segment_vocab_size:
            inputs.append(make("Input-Segment"))
        if self.config.options.get("custom_position_ids"):
            inputs.append(make("Input-Position", self.position.ids_dtype))
        return inputs

    def apply_embeddings(self, inputs):
        """Token + segment + position embeddings -> (B, T, D)."""
        ctx = self.ctx
        token = self.get(
            Embedding,
            "Embedding-Token",
            input_dim=self.vocab_size,
            output_dim=self.embedding_size,
            embeddings_initializer=self.initializer,
            mask_zero=True,
        )
        x = token(ctx.ids)
        if ctx.segments is not None:
            x = self.get(Add, "Embedding-Token-Segment")([x, self._segments(token, ctx)])
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
        return self.mapped(x, "Embedding-Mapping", self.embedding_size, self.hidden_size)

    def mapped(self, x, name, size, target):
        """Dense projection from `size` to `target`, nothing when they are equal."""
        if size == target:
            return x
        layer = self.get(keras.layers.Dense, name, units=target, use_bias=self.use_bias,
                         kernel_initializer=self.initializer)
        return layer(x)

    def layer_name(self, index, part):
        """Name of a part of block `index`; public, scripts address layers by it."""
        return f"Transformer-{index}-{part}"

    def apply_main_layers(self, inputs, index, first=False):
        """One block: attention and feed-forward, each with residual and norm.

        first: compute the block's output for the first token only, (B, 1, D).
        """
        name = self.layer_name(index, "MultiHeadSelfAttention")
        x = self.get(FirstToken, "Pooler-Query", keepdims=True)(inputs) if first else inputs
        x = self.residual(x, self.attend(x, index, name, inputs), name)
        name = self.layer_name(index, "FeedForward")
        layer = self.get(
            FeedForward,
            name,
            units=self.intermediate_size,
            activation=self.hidden_act,
            use_bias=self.use_bias,
            kernel_initializer=self.initializer,
        )
        return self.residual(x, layer(x), name)

    def attend(self, x, index, name, keys=None):
        """Self-attention of one block, through the context.

        x: (B, T, D), the queries; keys: (B, S, D), what they look at, default x.
        """
        layer = self.get(
            MultiHeadAttention,
            name,
            heads=self.num_attention_heads,
            head_size=self.attention_head_size,
            out_dim=self.hidden_size,
            key_size=self.attention_key_size,
            use_bias=self.use_bias,
            attention_dropout=self.attention_dropout_rate,
            return_attention_scores=self.residual_attention_scores,
            kernel_initializer=self.initializer,
        )
        own = type(self).compute_attention_bias is not Transformer.compute_attention_bias
        bias = self.compute_attention_bias(index) if own else None
        pair = None if keys is None or keys is x else (keys, keys)
        if layer.name in self.attention_caches:
            pair = self._cached(layer.name, *(pair or (x, x)))
        return self.ctx.attend(layer, x, index, pair, bias)

    def residual(self, x, y, name):
        """Post-norm: norm(x + dropout(y))."""
        y = self.apply(y, Dropout, name=name + "-Dropout", rate=self.dropout_rate)
        return self.norm(self.get(Add, name + "-Add")([x, y]), name + "-Norm")

    def norm(self, x, name, epsilon=None):
        """Layer normalisation, conditional when the model was built with a condition."""
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

    # --- small legacy surface -------------------------------------------------

    @staticmethod
    def simplify(inputs):
        """Drop Nones; unwrap a list of one."""
        inputs = [i for i in inputs if i is not None]
        return inputs[0] if len(inputs) == 1 else inputs

    def set_inputs(self, inputs, additional_input_layers=None):
        """Fill `.inputs` and `.input`."""
        extra = additional_input_layers
        if extra is not None:
            inputs = inputs + (list(extra) if isinstance(extra, (list, tuple)) else [extra])
        self.inputs = inputs
        self.input = inputs[0] if len(inputs) == 1 else inputs

    def set_outputs(self, outputs):
        """Fill `.outputs` and `.output`."""
        self.outputs = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
        self.output = self.outputs[0] if len(self.outputs) == 1 else self.outputs
