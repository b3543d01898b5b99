"""Transformer: wires named layers into a model; families declare differences.

The hooks keep bert4keras's names, because scripts override and call them:
`get_inputs`, `apply_embeddings`, `apply_main_layers`, `apply_final_layers`,
`compute_attention_bias`, `compute_position_bias`; those of weights are in `weights`.
"""

import dataclasses
import threading

from bert4keras3.backend import Model
from bert4keras3.layers import AttentionMask
from bert4keras3.models.adapter_files import Adapters
from bert4keras3.models.assembly import Assembly
from bert4keras3.models.blocks import Blocks
from bert4keras3.models.config import ModelConfig
from bert4keras3.models.config_files import read_config
from bert4keras3.models.context import Context
from bert4keras3.models.decoding import Decoding
from bert4keras3.models.packing import Packing
from bert4keras3.models.weights import Weights

_MASK_NAMES = {
    "encoder": "Attention-Mask",
    "lm": "Attention-LM-Mask",
    "unilm": "Attention-UniLM-Mask",
}


class Transformer(Blocks, Decoding, Packing, Assembly, Adapters, Weights):
    """Base of all families: a post-norm encoder unless a family says otherwise.

    config: path, folder or dict of the config (see `ModelConfig.load`); layers:
    {name: layer} to share with another model; prefix: put before every layer name;
    name: of the Keras model; ignore_invalid_weights, autoresize_weights: see
    `load`; kwargs: config keys and family options, which win over the config.
    """

    model_type = None  # as in a Hugging Face config
    also_reads = ()  # model types of other families whose checkpoints are meant too
    names = ()
    dialects = ()  # further spellings of the names, see checkpoints.names.DIALECTS
    foreign_names = ()  # parts of names that give away another family's checkpoint
    config_keys = {}  # {key of a published config: our field}
    defaults = {}  # defaults of ModelConfig's fields that differ from BERT's
    visibility = "encoder"
    options = {"residual_attention_scores": False, "with_first_token": False}
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
        origin, self.given = read_config(config)
        self.config = ModelConfig.load(
            (origin, self.understood(self.given)),
            self.options,
            ignored=self.ignored_keys,
            aliases=self.config_keys,
            defaults=self.defaults,
            **kwargs,
        )
        self.check_sizes(origin)
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
        self.model = self.ctx = None
        self.awaiting_weights = self.recompute = False
        self.decoders, self.lock = {}, threading.RLock()
        self.attention_caches, self.placeholders = {}, []
        self.layer_norm_conds = [None, None, None]

    @classmethod
    def understood(cls, values):
        """Translate what a published config says in other words than ours.

        values: dict of its keys, which must not be changed; `config_keys` are renamed
        afterwards. The inverse is `published`.
        """
        return values

    def check_sizes(self, origin):
        """Refuse what `self.config` says and this family cannot be built with.

        origin: name of the config, for the message of the ValueError.
        """
        size = self.config.segment_vocab_size
        if size and "segment_vocab_size" in self.unsupported:
            raise ValueError(
                f"{origin}: segment_vocab_size={size} is not possible: "
                f"{self.unsupported['segment_vocab_size']}. Pass segment_vocab_size=0."
            )

    # For a family whose config does not tell all: classmethod (config values, opened
    # checkpoint) -> config values, called before `understood`.
    informed = None

    def published(self, values):
        """Translate our config keys into those that transformers reads."""
        return values

    def _supported(self, kwargs):
        for key, reason in self.unsupported.items():
            if kwargs.get(key):
                raise ValueError(f"{key}={kwargs[key]!r} is not possible: {reason}.")
        fields = {one.name for one in dataclasses.fields(ModelConfig)}
        refused = set(self.unsupported) - fields  # a field may overrule the config
        return {k: v for k, v in kwargs.items() if k not in refused}

    # --- building -------------------------------------------------------------

    def build(
        self,
        attention_caches=None,
        layer_norm_cond=None,
        layer_norm_cond_hidden_size=None,
        layer_norm_cond_hidden_act=None,
        additional_input_layers=None,
        awaiting_weights=False,
        recompute=False,
        packed=False,
    ):
        """Create inputs, layers and `self.model`; a second call does nothing.

        attention_caches: {attention layer name: [k, v]}, tensors (B, S, D) put in
        front of that layer's keys and values; layer_norm_cond: (B, C), the condition
        of every LayerNormalization; additional_input_layers: Input or list of Inputs
        those come from; awaiting_weights: leave kernels zero, `load` follows;
        recompute: keep little of a block for its gradient and compute it again, which
        takes less memory and more time (https://arxiv.org/abs/1604.06174); packed:
        one more input, Input-Start (B, N): rows of several texts, see `Packing`.
        """
        if self.model is not None:
            return
        self.awaiting_weights, self.recompute = awaiting_weights, recompute
        if layer_norm_cond is not None and "layer_norm_cond" in self.unsupported:
            reason = self.unsupported["layer_norm_cond"]
            raise ValueError(f"layer_norm_cond is not possible: {reason}.")
        self.attention_caches = attention_caches or {}
        self.layer_norm_conds = [
            layer_norm_cond,
            layer_norm_cond_hidden_size,
            layer_norm_cond_hidden_act or "linear",
        ]
        self.check_first_token()
        inputs = self.get_inputs()
        inputs = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
        self.packed = bool(packed)
        if self.packed:
            inputs.append(self.start_input())
        self.set_inputs(inputs, additional_input_layers)
        self.ctx = self.context(inputs)
        self._check_caches()
        outputs = self.call(self.simplify(inputs))
        self.set_outputs(outputs)
        self.set_model(Model(self.input, self.output, name=self.name))

    def _check_caches(self):
        """Keys in front of the sequence have no place in distances between tokens."""
        terms = (self.ctx.rotary, self.ctx.relative, self.ctx.bias)
        own = [name for name in self.attention_caches if "CrossAttention" not in name]
        if own and any(term is not None for term in terms):
            raise ValueError(
                f"attention_caches of {own[0]!r} is not possible: "
                f"{type(self).__name__} gives every pair of tokens a position, and "
                "cached keys have none. Use a family with a position table, such as "
                "bert."
            )

    def call(self, inputs):
        """Embeddings, blocks, heads: the one forward of the family."""
        x = self.apply_final_layers(self.trunk(inputs))
        return self.text_vectors(x, "First-Token") if self.with_first_token else x

    def trunk(self, inputs):
        """Embeddings and blocks -> what the heads read, (B, T, D)."""
        x = self.apply_embeddings(inputs)
        for index in range(self.num_hidden_layers):
            before, x = x, self.apply_main_layers(x, index)
        if not self.only_first_token():
            return x
        if self.model is None:
            # The heads look at one token: let the last block compute just that one.
            # The whole block stays in the graph under its names, but a model whose
            # output is the head never runs it.
            with self.first_queries():
                last = self.num_hidden_layers - 1
                return self.apply_main_layers(before, last, first=True)
        return self.first_tokens(x, "Pooler-Query") if self.packed else x

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
        starts = None
        if self.packed:
            self.check_starts(inputs)
            *inputs, starts = inputs
        ids, *rest = inputs
        segments = rest.pop(0) if self.segment_vocab_size and rest else None
        custom = self.config.options.get("custom_position_ids") and rest
        ctx = Context(ids, segments, positions=rest.pop(0) if custom else None)
        ctx.inputs, ctx.starts = inputs, starts
        if self.packed:
            ctx.positions = self.packed_positions(ids, starts)
        ctx.cond = self.layer_norm_conds[0]
        ctx.visible = self.attention_mask(ids, segments, starts)
        return self.placed(ctx)

    def placed(self, ctx, keys=None):
        """Fill in what the positions of the pass say.

        keys: positions (B, S) of cached tokens that the pass looks at, or None.
        """
        ctx.rotary = self.position.rotary(self, ctx.ids, ctx.positions)
        where = (self, ctx.ids, ctx.positions, keys)
        ctx.relative = self.position.relative(*where)
        ctx.bias = self.position.bias(*where)
        return ctx

    def attention_mask(self, ids, segments, starts=None):
        """Visibility matrix of the whole pass, from ids, segments (B, T), starts."""
        if self.visibility == "unilm" and segments is None:
            raise ValueError(
                f"application='unilm' of {type(self).__name__} needs segment ids, but "
                "segment_vocab_size=0 leaves it without a segment input. Pass "
                "segment_vocab_size=2, or application='lm'."
            )
        shared = bool(self.config.options.get("shared_segment_embeddings"))
        layer = self.get(
            AttentionMask,
            _MASK_NAMES[self.visibility],
            kind=self.visibility,
            segments_mask=shared and segments is not None,
            pad_token_id=self.pad_token_id,
            packed=self.packed,
        )
        needed = segments is not None and (shared or self.visibility == "unilm")
        return layer(self.simplify([ids, segments if needed else None, starts]))
