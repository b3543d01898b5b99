"""Layers by name: made on first use, re-used ever after."""

import contextlib

import keras

from bert4keras3.backend.sharding import release
from bert4keras3.layers import (
    Concatenate1D,
    FeedForward,
    GatedAttentionUnit,
    LayerNormalization,
    MultiHeadAttention,
)
from bert4keras3.models.awaiting import awaiting, waiting

# What keeps much for its gradient; the rest of a block keeps nothing but masks.
_RECOMPUTED = (MultiHeadAttention, GatedAttentionUnit, FeedForward, LayerNormalization)


class Assembly:
    """Mixin of Transformer: `get`, `apply` and the lists of inputs and outputs.

    Uses its attributes layers, prefix, dropout_rate, attention_caches, recompute, ctx
    and placeholders, the layers whose zeros may still take memory.
    """

    def prefixed(self, name):
        """Put the model's prefix before a layer name."""
        return None if name is None else self.prefix + name

    def get(self, cls, name, **arguments):
        """Return the layer of that name, made on first use: re-use is weight tying."""
        bare, name = name, self.prefixed(name)
        if name not in self.layers:
            waits = self.awaiting_weights and bare in self.table_layers
            if waits:
                arguments = awaiting(arguments)
                self.release_placeholders()
            with self._recomputing(cls):
                self.layers[name] = cls(name=name, **arguments)
            if waits:
                self.placeholders.append(self.layers[name])
        return self.layers[name]

    def release_placeholders(self):
        """Keras copies zeros to their devices: not those of all layers at a time."""
        layers, self.placeholders = self.placeholders, []
        for layer in layers:
            if getattr(layer, "built", False):
                release(one for _, one in waiting(layer) if one is not None)
            else:
                self.placeholders.append(layer)

    def _recomputing(self, cls):
        if self.recompute and isinstance(cls, type) and issubclass(cls, _RECOMPUTED):
            return keras.RematScope("full")
        return contextlib.nullcontext()

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
        made = self.get(
            layer,
            name if isinstance(name, str) else f"{layer.__name__}-{name}",
            **kwargs,
        )
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

    @staticmethod
    def simplify(inputs):
        """Drop Nones; unwrap a list of one."""
        inputs = [i for i in inputs if i is not None]
        return inputs[0] if len(inputs) == 1 else inputs

    def set_inputs(self, inputs, additional_input_layers=None):
        """Fill `.inputs`, `.input` and, of the former, `.additional_inputs`."""
        extra = additional_input_layers
        if extra is None:
            extra = []
        elif not isinstance(extra, (list, tuple)):
            extra = [extra]
        self.additional_inputs = list(extra)
        self.own_inputs = len(inputs)
        inputs = [*inputs, *self.additional_inputs]
        self.inputs = inputs
        self.input = inputs[0] if len(inputs) == 1 else inputs

    def set_model(self, model):
        """Fill `.model`, which knows its builder (one read from .keras does not)."""
        self.model = model
        model.transformer, model.generate = self, self.generate
        model.training_model = self.training_model

    def set_outputs(self, outputs):
        """Fill `.outputs` and `.output`."""
        self.outputs = (
            list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
        )
        self.output = self.outputs[0] if len(self.outputs) == 1 else self.outputs
