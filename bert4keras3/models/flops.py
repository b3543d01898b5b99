"""Floating-point operations of a step, counted from a model's sizes.

Matrix products alone, 2 for every multiplication with its addition, with masked scores
counted as others, because they are computed. Left out: norms, softmax, activations,
dropout, rotary turns, look-ups, the optimizer, additional layers of scripts, LoRA.
"""

import math
from dataclasses import dataclass

from bert4keras3.layers import Embedding

_BUCKETS = "relative_attention_num_buckets"
TRAINING = 3  # a gradient for the input and one for the weights of every product


@dataclass(frozen=True)
class Flops:
    """Operations by part, floats.

    projections: dense layers of the blocks and of the embeddings; attention: what
    grows with the square of the length; heads: poolers and the vocabulary.
    """

    projections: float = 0.0
    attention: float = 0.0
    heads: float = 0.0

    @property
    def total(self):
        return self.projections + self.attention + self.heads

    def __add__(self, other):
        return Flops(
            self.projections + other.projections,
            self.attention + other.attention,
            self.heads + other.heads,
        )

    def __mul__(self, times):
        return Flops(
            self.projections * times, self.attention * times, self.heads * times
        )


def step_flops(t, batch, length, target_length=None, training=True, predicted=None):
    """`Flops` of one step of a Transformer on `batch` rows of `length` tokens.

    t: a Transformer, built or not, or the Keras model of one (`bert`, with its
    `bert.transformer`); length: tokens in a row, of an encoder-decoder the
    source; target_length: of an encoder-decoder or a decoder alone, the tokens of the
    target; training: three times the forward pass, without what `recompute` computes
    again, as is usual for the share of a device's peak (MFU,
    https://arxiv.org/abs/2204.02311); predicted: tokens in a row whose logits are
    computed, default all: a masked language model's loss needs the hidden ones alone.
    Raises ValueError without a needed length.
    """
    t = getattr(t, "transformer", t)
    forward = _whole(t, length, target_length, predicted) * batch + _tables(t, length)
    return forward * TRAINING if training else forward


def decoding_flops(t, batch, length, slots, source_length=None):
    """(`Flops` of reading prompts, `Flops` of one new token per prompt).

    length: tokens of a prompt; slots: of the cache, which every new token attends to;
    source_length: of an encoder-decoder, whose prompts are the start of its answers.
    Raises ValueError if it is needed and missing.
    """
    model = t.language_model
    if model is not t and source_length is None:
        raise ValueError(f"{type(t).__name__} reads a source: pass source_length.")
    prompt = _trunk(model, length, length, source_length or 0)
    if model is not t:
        prompt = prompt + _trunk(t._encoder, source_length, source_length)
    step = _trunk(model, 1, slots, source_length or 0, memory_is_kept=True)
    logits = Flops(heads=sum(_vocabulary(model)))
    once = _tables(model, length)
    return (prompt + logits) * batch + once, (step + logits) * batch


def gradient_bytes(t, length, target_length=None):
    """Bytes that each device adds up with the others in a data-parallel step on TPU.

    t: a built Transformer, trained by its training_model or masked_training_model;
    length, target_length: tokens in a row, and in a target's. Every gradient is added
    up once, in the dtype of the computation; those of tables of tokens and segments in
    float32. A table of positions, those from 0 on, has no gradient beyond the length;
    of T5's distances the scores are added up. XLA's compiler for CPU adds up a tied
    table twice, for look-ups and output.
    """
    looked_up = (one for one in t.model.layers if isinstance(one, Embedding))
    wide = {id(v) for one in looked_up for v in one.trainable_variables}
    narrow = 2 if t.model.compute_dtype in ("bfloat16", "float16") else 4
    total = 0
    for v in t.model.trainable_variables:
        size = 4 if id(v) in wide else narrow
        own = length if "Decoder-" not in v.path else target_length or length
        total += size * _gradient_size(t, v, own, length)
    return total


def _gradient_size(t, variable, own, memory):
    """Numbers that devices add up for a variable.

    own: tokens of a text of its side; memory: tokens that a decoder reads.
    """
    shape = variable.shape
    if "Embedding-Position" in variable.path:
        return min(shape[0], own) * shape[1]
    if "Embedding-Relative" in variable.path and _option(t, _BUCKETS):
        crossed = "Decoder-" in variable.path and _option(t, "cross_position_bias")
        return own * (own + (memory if crossed else 0)) * t.num_attention_heads
    return math.prod(shape)


def _whole(t, length, target_length, predicted):
    """One row through all there is."""
    if not hasattr(t, "_decoder") and not t.reads_memory:
        return _trunk(t, length, length) + _heads(t, length, predicted)
    if target_length is None:
        raise ValueError(
            f"{type(t).__name__} has a target of its own length: pass target_length."
        )
    decoder = getattr(t, "_decoder", t)
    own = _trunk(decoder, target_length, target_length, length)
    own = own + _heads(decoder, target_length, predicted)
    return own if decoder is t else own + _trunk(t._encoder, length, length)


def _trunk(t, queries, keys, memory=0, memory_is_kept=False):
    """All blocks of one row: `queries` tokens that look at `keys` and at a memory."""
    blocks = t.num_hidden_layers
    block = _gated_unit if hasattr(t, "clamp_length") else _block
    first = _only_first(t)
    total = block(t, queries, keys, memory, memory_is_kept) * (blocks - first)
    if first:
        total = total + block(t, 1, keys, keys_of=keys)
    if t.embedding_size != t.hidden_size:
        total = total + Flops(2 * queries * t.embedding_size * t.hidden_size)
    if _option(t, "conv_kernel_size"):
        kernel = t.conv_kernel_size * t.hidden_size**2 / t.conv_groups
        total = total + Flops(2 * queries * kernel)
    return total


def _only_first(t):
    return getattr(t, "only_first_token", lambda: False)()


def _option(t, name):
    return t.config.options.get(name)


def _block(t, queries, keys, memory=0, memory_is_kept=False, keys_of=None):
    """Attention, cross-attention if there is a memory, and feed-forward network.

    keys_of: tokens that keys are projected of, where fewer ask.
    """
    branches = t.feed_forward_activation
    branches = len(branches) if isinstance(branches, (list, tuple)) else 1
    network = 2 * (branches + 1) * t.hidden_size * t.intermediate_size * queries
    total = Flops(network) + _attention(t, queries, keys, keys_of or queries)
    if memory:
        total = total + _attention(t, queries, memory, 0 if memory_is_kept else memory)
    return total + _distances(t, queries, keys)


def _attention(t, queries, keys, projected):
    """One attention; keys and values are projected of `projected` tokens."""
    heads, size = t.num_attention_heads, t.hidden_size
    shared = _option(t, "num_key_value_heads") or heads
    both = t.attention_key_size + t.attention_head_size
    dense = 2 * size * both * (heads * queries + shared * projected)
    return Flops(dense, 2 * heads * both * queries * keys)


def _distances(t, queries, keys):
    """What scores of distances cost beside those of contents: NEZHA's and DeBERTa's."""
    heads, key = t.num_attention_heads, t.attention_key_size
    if _option(t, "max_relative_position"):
        both = key + t.attention_head_size
        return Flops(attention=2 * heads * both * queries * keys)
    kinds = _position_kinds(t)
    if queries == 1:  # a new token projects its distance to every key
        dense = 2 * t.hidden_size * heads * key * keys * len(kinds)
        return Flops(dense, 2 * heads * key * keys * len(kinds))
    rows = queries + keys - 1
    asking = sum(queries if one == "c2p" else keys for one in kinds)
    return Flops(attention=2 * heads * key * rows * asking)


def _tables(t, length):
    """Projections of DeBERTa's distances, which a batch needs once."""
    rows, size = 2 * length - 1, t.num_attention_heads * t.attention_key_size
    kinds = len(_position_kinds(t))
    return Flops(2 * rows * t.hidden_size * size * kinds * t.num_hidden_layers)


def _position_kinds(t):
    kinds = _option(t, "pos_att_type") or ()
    kinds = kinds.split("|") if isinstance(kinds, str) else kinds
    return [one.strip().lower() for one in kinds]


def _gated_unit(t, queries, keys, memory=0, memory_is_kept=False, keys_of=None):
    """A gated attention unit: one head, whose values are as wide as the network."""
    inner, key = t.intermediate_size, t.attention_key_size
    dense = 2 * t.hidden_size * (3 * inner + key) * queries
    return Flops(dense, 2 * (key + inner) * queries * keys)


def _vocabulary(t):
    """Of one token: the layer between the last block and the logits, the logits."""
    size, table = t.hidden_size, t.embedding_size
    dense = any(row.ours.startswith("MLM-Dense") for row in t.names) or size != table
    return dense * 2 * size * table, 2 * table * t.vocab_size


def _heads(t, length, predicted=None):
    """The heads of one row: pooler, next sentence, replaced tokens, vocabulary."""

    def has(name):
        return name not in t.unsupported and bool(getattr(t, name, False))

    size, total = t.hidden_size, 0
    if has("with_pool") or has("with_nsp"):
        total += 2 * size * size + 4 * size * has("with_nsp")
    if has("with_discriminator"):
        total += 2 * length * size * (size + 1)
    if has("with_mlm") or has("with_lm"):
        dense, logits = _vocabulary(t)
        total += length * dense + (length if predicted is None else predicted) * logits
    return Flops(heads=total)
