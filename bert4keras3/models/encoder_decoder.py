"""Encoder-decoder models: two Transformers over one dictionary of layers."""

import keras
from keras import ops

from bert4keras3.backend import Model
from bert4keras3.checkpoints.names import dense, expand
from bert4keras3.generation.cache import heads_first
from bert4keras3.layers import AttentionMask, MemoryMask
from bert4keras3.models import heads
from bert4keras3.models.config import MAX_LAYERS
from bert4keras3.models.config_files import read_config
from bert4keras3.models.transformer import Transformer

# Layers that both sides have in common, or that bert4keras gave no side.
_COMMON = ("Embedding-Token", "Attention-", "Input-Context")
_NEVER = {
    "application": "its encoder sees both ways and its decoder is causal already",
    "segment_vocab_size": "there is no table of segments",
    "residual_attention_scores": "self- and cross-attention scores differ in shape",
}
_WHOLE = {**_NEVER, "with_first_token": "a decoder has no token for a whole text"}


def mapping_names(bias=True):
    """Projections around embeddings of another size; no file has them, names ours."""
    rows = ()
    for ours in ("Encoder-Embedding", "Decoder-Embedding", "Decoder-Output"):
        tf = ours.lower().replace("-", "/") + "_mapping"
        rows += dense(f"{ours}-Mapping", tf, tf.replace("/", "."), bias)
    return rows


class Side(Transformer):
    """What encoder and decoder share: the side in front of every layer name."""

    side = None
    unsupported = _NEVER

    def get(self, cls, name, **arguments):
        """Return the layer of that name, which gets the side unless it has it."""
        if not name.startswith((self.side + "-", *_COMMON)):
            name = f"{self.side}-{name}"
        return super().get(cls, name, **arguments)

    def layer_name(self, index, part):
        """Name of a part of block `index`."""
        return f"{self.side}-Transformer-{index}-{part}"

    def finish_states(self, x):
        """What follows the last block (B, T, D): a norm, if the blocks are pre-norm."""
        return self.norm(x, "Output-Norm") if self.pre_norm else x

    def apply_final_layers(self, inputs):
        """(B, T, D) -> (B, T, D)."""
        return self.finish_states(inputs)


class Encoder(Side):
    """Token ids (B, S) -> hidden states (B, S, D)."""

    side = "Encoder"
    unsupported = {
        **_NEVER,
        "with_lm": "an encoder has no language-model head",
        "context_mask": "an encoder reads no context",
    }


class Decoder(Side):
    """Encoder states (B, S, D) and token ids (B, T) -> (B, T, V), causal.

    with_lm: True for probabilities, the name of another activation, False for hidden
    states; num_decoder_layers: default num_hidden_layers; context_mask: take a third
    input, Input-Context-Mask (B, S), 0 at the encoder's padding. Without it the Keras
    mask of the context counts; arrays have none, and their padding is looked at.
    """

    side = "Decoder"
    unsupported = _WHOLE
    reads_memory = True
    visibility = "lm"

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.num_hidden_layers = decoder_depth(self)

    def get_inputs(self):
        """Input-Context, Decoder-Input-Token and, if configured, Input-Context-Mask."""
        shape, name = (None, self.hidden_size), "Input-Context"
        inputs = [self.get(keras.Input, name, shape=shape), *super().get_inputs()]
        if self.context_mask:
            name += "-Mask"
            inputs.append(self.get(keras.Input, name, shape=(None,), dtype="int32"))
        return inputs

    def context(self, inputs):
        """Compute what all blocks share from [context, token ids(, context mask)]."""
        memory, ids, *mask = inputs
        ctx = super().context([ids])
        ctx.inputs, ctx.memory = inputs, memory
        kind, name = (AttentionMask, "Context") if mask else (MemoryMask, "Memory")
        layer = self.get(kind, f"Attention-{name}-Mask")
        ctx.memory_visible = layer(mask[0] if mask else memory)
        ctx.memory_bias = self.memory_bias(ids, memory)
        return ctx

    def memory_bias(self, ids, memory, positions=None):
        """Scores (B|1, H, T, S) to add in every cross-attention, or None.

        positions: (B, T) of the ids, by default 0..T-1.
        """
        return

    def recall(self, ctx, fixed):
        """The visibility of the memory, and the scores of its distances."""
        ctx.memory_visible = fixed["visible"]
        keys = heads_first(fixed["memory"][0][0])
        # All rows of a prompt are at the same position: one of them is enough.
        positions = ops.reshape(ctx.positions, (ops.shape(keys)[0], -1))[:, :1]
        ctx.memory_bias = self.memory_bias(ctx.ids, keys, positions)

    def apply_main_layers(self, inputs, index, first=False):
        """One block: self-attention, cross-attention and feed-forward."""
        name = self.layer_name(index, "MultiHeadSelfAttention")
        x = self.sublayer(inputs, name, lambda x: self.attend(x, index, name))
        cross = self.layer_name(index, "MultiHeadCrossAttention")
        x = self.sublayer(x, cross, lambda x: self.attend_memory(x, index, cross))
        last = self.layer_name(index, "FeedForward")
        return self.sublayer(x, last, lambda x: self.feed_forward(x, last))

    def attend_memory(self, x, index, name):
        """Cross-attention of one block on `x: (B, T, D)`, through the context."""
        layer, pair = self.attention_layer(name), None
        if layer.name in self.attention_caches:
            pair = self._cached(layer.name, self.ctx.memory, self.ctx.memory)
        return self.ctx.attend_memory(layer, x, index, pair)

    def apply_final_layers(self, inputs):
        """(B, T, D) -> (B, T, V), or the hidden states without a head."""
        x = self.finish_states(inputs)
        if not self.with_lm:
            return x
        x = self.mapped(x, "Output-Mapping", self.hidden_size, self.embedding_size)
        x = self.vocabulary_scores(x)
        return heads.output_activation(self, x, self.with_lm, "Output-LM-Activation")

    def vocabulary_scores(self, x):
        """(B, T, E) -> (B, T, V) with the shared token table."""
        return heads.vocabulary_scores(self, x)


class EncoderDecoder(Transformer):
    """Both sides over one token table, as one model and as two.

    `model`: [encoder ids (B, S), decoder ids (B, T)] -> as the decoder; `encoder`,
    `decoder`: Keras models of the sides, with the same layers. Loads and saves all.
    """

    encoder_class = Encoder
    decoder_class = Decoder
    unsupported = _WHOLE

    def __init__(self, config=None, layers=None, prefix=None, name=None, **kwargs):
        config = read_config(config)
        super().__init__(config, layers, prefix, name, **kwargs)
        refused = set(self.encoder_class.unsupported) - set(self.unsupported)
        reading = {key: one for key, one in kwargs.items() if key not in refused}
        before, shared = f"{name}_" if name else "", (config, self.layers, prefix)
        self._encoder = self.encoder_class(*shared, before + "Encoder", **reading)
        self._decoder = self.decoder_class(*shared, before + "Decoder", **kwargs)
        self.encoder = self.decoder = None

    def build(self, **arguments):
        """Create both sides and `self.model`; arguments as in `Transformer.build`."""
        if self.model is not None:
            return
        self.awaiting_weights = arguments.get("awaiting_weights", False)
        self.recompute = arguments.get("recompute", False)
        for half in (self._encoder, self._decoder):
            half.build(**arguments)
        self.encoder, self.decoder = self._encoder.model, self._decoder.model
        inputs = [self._encoder.inputs[0], self._decoder.inputs[1]]
        self.set_inputs(inputs, arguments.get("additional_input_layers"))
        self.set_outputs(self.forward(inputs))
        self.set_model(Model(self.input, self.output, name=self.name))

    def context(self, inputs):
        """Run the encoder: the decoder's context of [encoder ids, decoder ids]."""
        source, target = inputs
        own = self._encoder.context([source])
        ctx = self._decoder.context([self._encoder.forward([source], own), target])
        ctx.memory_visible = own.visible
        return ctx

    def forward(self, inputs, ctx=None):
        """Run both sides, or the decoder alone on a context with its memory."""
        ctx = self.context(inputs) if ctx is None else ctx
        return self._decoder.forward([ctx.memory, inputs[1]], ctx)

    @property
    def language_model(self):
        """The decoder's builder."""
        return self._decoder.language_model

    @property
    def source_limit(self):
        """Number of positions of the encoder, or None."""
        return self._encoder.position_limit

    def prefill(
        self, inputs, lengths, slots, segment=None, conditions=(), keep_states=False
    ):
        """Run the encoder on inputs[0] and read the prompts inputs[1]."""
        self.condition_of(conditions)
        ctx = self.context(inputs)
        return self._decoder.read(ctx, lengths, slots, keep_states=keep_states)

    def condition_of(self, values):
        """None: ValueError for values, or a model with layer_norm_cond."""
        if values or self._decoder.layer_norm_conds[0] is not None:
            raise ValueError("An encoder-decoder cannot generate with layer_norm_cond.")

    def table_rows(self):
        """The name table, written out for the deeper side."""
        return expand(self.names, max(self.num_hidden_layers, decoder_depth(self)))


def decoder_depth(t):
    """Number of decoder blocks. Raises ValueError when it is no such number."""
    depth = t.num_decoder_layers or t.config.num_hidden_layers
    if not isinstance(depth, int) or not 1 <= depth <= MAX_LAYERS:
        raise ValueError(
            f"num_decoder_layers must be in [1, {MAX_LAYERS}]. Received: {depth!r}"
        )
    return depth
