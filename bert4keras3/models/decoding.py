"""Reading a prompt and one token after it, with a cache: the family's own forward.

B prompts, R rows (B times beams or samples), P prompt length, S slots, V vocabulary.
Slots are the same for all rows, positions are each row's own: a prompt of n tokens
fills the slots 0..P-1 padded on the right, its i-th new token comes into slot P + i
and has position n + i. No token is ever moved.
"""

import contextlib
import functools

import keras
from keras import ops

from bert4keras3.backend.runtime import write_slot
from bert4keras3.backend.tensors import batch_gather
from bert4keras3.generation.cache import Cache, in_slots
from bert4keras3.generation.decoder import Decoder
from bert4keras3.models import heads
from bert4keras3.models.context import Context
from bert4keras3.models.published import kept_id
from bert4keras3.models.training_model import training_model


class Decoding:
    """Mixin of Transformer: `prefill` and `step`.

    Both return logits (rows, V) of the token that follows, float32. A state is a dict
    of tensors with one row per row of the batch, to repeat or reorder along axis 0;
    with `keep_states` also "states", (rows, tokens just read, E), of which the logits
    are made. `fixed` holds what is not of rows: the prompts' memory, the table.
    """

    def generate(
        self, texts, tokenizer=None, strategy=None, n=None, seed=0, **settings
    ):
        """Continue texts, many at once, with a cache; see `Decoder`.

        texts: list of texts or token ids, or one text; tokenizer: of the texts;
        strategy: Greedy(), the default, Sampling(...) or BeamSearch(...); n: answers
        per text; settings: maxlen, minlen, end_id, rules, ... Compiled programs are
        kept. Raises ValueError for a model that cannot generate.
        """
        fixed = {k: settings.pop(k) for k in ("start_id", "end_id") if k in settings}
        key = (id(tokenizer), repr(sorted(fixed.items())))
        if key not in self.decoders:
            self.decoders[key] = Decoder(self, tokenizer, **fixed)
        return self.decoders[key](texts, strategy, n, seed, **settings)

    def told_id(self, name):
        """An id, or several, that the config tells, where keep_tokens has put it.

        name: "eos_token_id" or "decoder_start_token_id"; None when nothing tells it.
        Raises ValueError for an id that keep_tokens dropped.
        """
        told = self.given.get(name)
        if told is None and name == "eos_token_id":
            told = getattr(self, "end_token_id", None)
        place = kept_id(told, self.keep_tokens)
        if place is None and told is not None:
            raise ValueError(
                f"The config's {name}={told} is not among keep_tokens: keep it, or "
                "pass end_id and start_id of the new vocabulary."
            )
        return place

    def states(self):
        """The symbolic outputs of the built model, as a list, without its logits.

        Last are the states (B, T, E) that the logits come from; before them, from the
        same pass, what a pooler (B, D) or the next-sentence head (B, 2) gives.
        """
        ctx = self.context(list(self.inputs[: self.own_inputs]))
        ctx.wanted = "states"
        outputs = self.forward(self.inputs[: self.own_inputs], ctx)
        return outputs if isinstance(outputs, list) else [outputs]

    def vocabulary_layers(self):
        """The layer with the table of the logits, and that with their bias or None."""
        own = [n for n in self.layers if n.endswith("Output-LM")]
        table = own[0] if own else self.prefixed("Embedding-Token")
        bias = [n for n in self.layers if n.endswith(("MLM-Bias", "Output-Bias"))]
        return self.layers[table], self.layers[bias[0]] if bias else None

    def training_model(
        self, smoothing=0.0, topk=None, weights=False, chunk=512, copying=False
    ):
        """A Keras model that trains this one; see `models.training_model`."""
        return training_model(self, smoothing, topk, weights, chunk, copying)

    copy_layer = None  # says what to copy; made by training_model(copying=True)

    @property
    def language_model(self):
        """The builder whose blocks decode: of two sides, the decoder.

        Raises ValueError when this model cannot continue a text.
        """
        head = getattr(self, "with_lm", False) or getattr(self, "with_mlm", False)
        if self.visibility == "encoder" or not head:
            raise ValueError(
                f"This {type(self).__name__} cannot generate: it needs a vocabulary "
                "head and a causal mask. Build it with application='lm' or 'unilm', "
                "or, for a family that is a language model, without with_lm=False."
            )
        if self.packed:
            raise ValueError(
                f"This {type(self).__name__} is built with packed=True, rows of "
                "several texts, and cannot generate: build it without packed."
            )
        return self

    reads_memory = False  # a decoder does: of an encoder, with cross-attention

    @property
    def source_limit(self):
        """Number of positions of an encoder in front, or None."""
        return

    @property
    def position_limit(self):
        """Number of positions the model has, or None."""
        return self.position.limit(self)

    def prefill(
        self, inputs, lengths, slots, segment=None, conditions=(), keep_states=False
    ):
        """Read prompts: (logits (B, V), state, fixed).

        inputs: list as of the model, prompts padded on the right; lengths: (B,), of the
        prompts; slots: S, P and the tokens to come; segment: (B,), ids of the tokens
        to come, default that of each prompt's last token; conditions: values of the
        additional input layers; keep_states: see the class.
        """
        ctx = self.context(inputs)
        ctx.cond = self.condition_of(conditions)
        return self.read(ctx, lengths, slots, segment, keep_states)

    def condition_of(self, values):
        """The condition (B, C) of values of the additional inputs, None without any.

        Raises ValueError for another number of them.
        """
        if not values and self.layer_norm_conds[0] is None:
            return None
        inputs = self.additional_inputs
        if len(inputs) != len(values):
            raise ValueError(
                f"This model has {len(inputs)} additional inputs, of which conditions "
                f"must hold the values, a row per prompt. Received: {len(values)}"
            )
        return self._condition(list(values))

    @functools.cached_property
    def _condition(self):
        """The Keras model of the additional inputs' way to layer_norm_cond."""
        return keras.Model(self.additional_inputs, self.layer_norm_conds[0])

    def read(self, ctx, lengths, slots, segment=None, keep_states=False):
        """Run the prompts' pass: see `prefill`."""
        if self.attention_caches:
            raise ValueError(
                "attention_caches speak of whole sequences, a step has one token. "
                "Decode with AutoRegressiveDecoder and a predict of your own."
            )
        batch, length = ops.shape(ctx.ids)
        last = ops.cast(lengths, "int32")[:, None] - 1
        self._hide_padding(ctx, length, last)
        ctx.cache = Cache(slots)
        logits, states = self.logits_and_states(ctx, last, keep_states)
        logits = logits[:, 0]
        valid = batch_gather(
            ops.broadcast_to(ctx.visible, (batch, 1, length, length))[:, 0], last
        )
        state = {
            "blocks": ctx.cache.blocks,
            "valid": in_slots(valid[:, 0], slots),
            "keys": ops.broadcast_to(ops.arange(slots), (batch, slots)),
            "next": last[:, 0] + 1,
        }
        if ctx.segments is not None:
            own = batch_gather(ops.cast(ctx.segments, "int32"), last)[:, 0]
            state["segment"] = own if segment is None else segment
        if ctx.cond is not None:
            state["cond"] = ctx.cond
        if keep_states:
            state["states"] = states
        fixed = {"memory": ctx.cache.memory}
        table = self.vocabulary_layers()[0]
        if hasattr(table, "embeddings"):
            # CPU-XLA would turn it round anew for every token: 8% of a GPT-2 step.
            table = ops.cast(table.embeddings, table.compute_dtype)
            fixed["table"] = ops.transpose(table)
        if ctx.memory_visible is not None:
            fixed["visible"] = ctx.memory_visible
        return logits, state, fixed

    def _hide_padding(self, ctx, length, last):
        """Padding is no key, whatever its id, and has no position beyond the table."""
        shown = ops.expand_dims(ops.arange(length), 0) <= last
        shown = shown[:, None, None, :]
        ctx.visible = (
            shown if ctx.visible is None else ops.logical_and(ctx.visible, shown)
        )
        limit = self.position_limit
        if ctx.positions is None and limit is not None and limit < length:
            positions = ops.minimum(ops.arange(length), limit - 1)
            ctx.positions = ops.expand_dims(positions, 0)

    def step(self, ids, slot, state, fixed):
        """Read one token per row: (logits (R, V), the next state).

        ids: (R,); slot: where they go, an int or a scalar tensor. On torch the state
        given is used up: its tensors are changed in place.
        """
        ids = ops.cast(ids, "int32")[:, None]
        positions = state["next"][:, None]
        ctx = Context(ids, positions=positions)
        if "segment" in state:
            ctx.segments = state["segment"][:, None]
        ctx.inputs = [one for one in (ids, ctx.segments) if one is not None]
        valid = write_slot(state["valid"], self._is_token(ids, ctx.segments), slot)
        keys = write_slot(state["keys"], positions, slot)
        ctx.visible = valid[:, None, None, :]
        ctx.cond = state.get("cond")
        self.recall(ctx, fixed)
        ctx.table = fixed.get("table")
        ctx.cache = Cache(None, slot, state["blocks"], fixed["memory"])
        self.placed(ctx, keys)
        logits, states = self.logits_and_states(ctx, None, "states" in state)
        logits = logits[:, 0]
        changed = {"blocks": ctx.cache.blocks, "valid": valid, "keys": keys}
        changed["next"] = state["next"] + 1
        if "states" in state:
            changed["states"] = states
        return logits, {**state, **changed}

    def recall(self, ctx, fixed):
        """Give a step what it reads of the prompt's memory; a decoder's concern."""

    def _is_token(self, ids, segments):
        """Bool (R, 1): as in the prompt, padding and, if shared, segment 0 are none."""
        shown = ops.ones_like(ids, dtype="bool")
        if self.pad_token_id is not None:
            shown = ops.not_equal(ids, self.pad_token_id)
        shared = self.config.options.get("shared_segment_embeddings")
        if shared and segments is not None:
            shown = ops.logical_and(shown, ops.not_equal(segments, 0))
        return shown

    def logits_at(self, ctx, last=None):
        """Logits (R, V) at the indices `last: (R, 1)`, by default of the only token."""
        return self.logits_of(ctx, last)[:, 0]

    def logits_of(self, ctx, places=None):
        """Logits (R, K, V), float32, at the indices `places: (R, K)`, default all."""
        return self.logits_and_states(ctx, places)[0]

    def logits_and_states(self, ctx, places=None, keep_states=False):
        """`logits_of`, and the states (R, T, E) of all tokens of the pass, or None."""
        ctx.wanted = "logits"
        with self._pass(ctx):
            x = self.trunk(self.simplify(list(ctx.inputs)))
            chosen = x if places is None else batch_gather(x, places)
            logits = ops.cast(self.apply_final_layers(chosen), "float32")
            if not keep_states:
                return logits, None
            ctx.wanted = "states"
            outputs = self.apply_final_layers(x)
            return logits, outputs[-1] if isinstance(outputs, list) else outputs

    def hidden(self, ctx, pooled=False):
        """What the heads read, (R, T, D), or through the pooler (R, D)."""
        with self._pass(ctx):
            x = self.trunk(self.simplify(list(ctx.inputs)))
            return heads.pooled(self, x) if pooled else x

    @contextlib.contextmanager
    def _pass(self, ctx):
        """Let `ctx` be what the layers' hooks read."""
        outer, self.ctx = self.ctx, ctx
        try:
            yield
        finally:
            self.ctx = outer
