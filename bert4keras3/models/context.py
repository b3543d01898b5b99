"""Context: what all blocks of one pass share. Plain Python, it never enters a layer."""

from dataclasses import dataclass
from typing import Any


@dataclass
class Context:
    """Tensors computed once per pass and handed to every block.

    ids: (B, T) token ids; segments: (B, T) or None; positions: (B, T) or None for
    0..T-1; visible: bool (B|1, 1, T|1, S); rotary: (B|1, T, K), one for the
    queries and one for the keys, or None;
    relative: (T, S, K), positions inside scores and values (NEZHA), or None;
    bias: (B|1, H|1, T, S), added to every score (T5), or None;
    cond: (B, C), the condition of every LayerNormalization, or None;
    scores: attention scores of the block before (RealFormer);
    inputs: all inputs of the pass, for a family with more than the above;
    wanted: "heads", all of them; "logits", the vocabulary's scores alone and without
    activation; "states", all heads, but of the scores what they are computed from;
    memory: (B, S, D), what a decoder reads: the encoder's output; memory_visible:
    bool (B, 1, 1, S) or None; memory_bias: (1, H, T, S), added to its scores, or None;
    starts: (B, N), where the texts of packed rows begin, or None;
    table: (E, V), the table of the logits turned round, for one token after another;
    cache: None while building; a decoding cache takes over `attend`, `attend_memory`.
    """

    ids: Any
    segments: Any = None
    positions: Any = None
    visible: Any = None
    rotary: Any = None
    relative: Any = None
    bias: Any = None
    cond: Any = None
    scores: Any = None
    inputs: Any = None
    wanted: str = "heads"
    memory: Any = None
    memory_visible: Any = None
    memory_bias: Any = None
    starts: Any = None
    table: Any = None
    cache: Any = None

    def attend(self, layer, x, index, pair=None, bias=None):
        """Self-attention of block `index` on `x: (B, T, D)`; the only call site.

        pair: (keys, values), both (B, S, D), to look at instead of x itself;
        bias: float or bool tensor of a subclass's own `compute_attention_bias`.
        """
        if self.cache is not None:
            return self.cache.attend(layer, x, index, self, pair, bias)
        terms = self.attention_terms()
        if self.rotary is not None:
            terms["rotary"] = self.rotary
        inputs = x if pair is None and bias is None else [x, *(pair or (x, x))]
        if bias is not None:
            inputs, terms["a_bias"] = [*inputs, bias], True
        output = layer(inputs, **terms)
        if layer.return_attention_scores:
            output, self.scores = output
        return output

    def attention_terms(self):
        """What the pass has for the scores of every self-attention, by name."""
        terms = {
            "visible": self.visible,
            "relative": self.relative,
            "bias": self.bias,
            "residual": self.scores,
        }
        return {name: value for name, value in terms.items() if value is not None}

    def attend_memory(self, layer, x, index, pair=None):
        """Cross-attention of block `index` on `x: (B, T, D)`; the only call site.

        pair: (keys, values), both (B, S, D), to look at instead of the memory.
        """
        if self.cache is not None:
            return self.cache.attend_memory(layer, x, index, self, pair)
        terms = {"visible": self.memory_visible, "bias": self.memory_bias}
        terms = {name: value for name, value in terms.items() if value is not None}
        return layer([x, *(pair or (self.memory, self.memory))], **terms)
