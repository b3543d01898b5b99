"""Llama and those built like it: Qwen2, Qwen3."""

from bert4keras3.checkpoints.names import dense, plain, table
from bert4keras3.models import heads
from bert4keras3.models.positions import ScaledRotary
from bert4keras3.models.published import refuse_others, with_rope, without_end_as_pad
from bert4keras3.models.transformer import Transformer

_TF, _HF = "llama/layer_{i}/", "model.layers.{i}."
_ATTENTION = "Transformer-{i}-MultiHeadSelfAttention"
_FFN = "Transformer-{i}-FeedForward"


def _gamma(ours, tf, hf):
    """The only weight of an RMS norm."""
    return plain(f"{ours}/gamma", f"{tf}/gamma", f"{hf}.weight")


def _head_norm(one):
    ours = f"{_ATTENTION}/{one}_norm"
    return _gamma(ours, f"{_TF}attention/{one}_norm", f"{_HF}self_attn.{one}_norm")


def _attention(one):
    ours = f"{_ATTENTION}/{one}"
    return dense(ours, f"{_TF}attention/{one}", f"{_HF}self_attn.{one}_proj")


class Llama(Transformer):
    """Causal decoder: RMS norms in front, gates, rotary positions, shared key heads.

    https://arxiv.org/abs/2302.13971; rope_scaling: None, or a dict of rope_type
    "linear" or "llama3" (https://arxiv.org/abs/2407.21783) and its numbers, as in
    Hugging Face configs; with_lm, final_activation: as in GPT.
    The TensorFlow names are ours, nobody else has any.
    """

    model_type = "llama"
    names = table(
        plain(
            "Embedding-Token/embeddings",
            "llama/embeddings/word_embeddings",
            "model.embed_tokens.weight",
            vocab=0,
        ),
        *map(_attention, "qkvo"),
        *map(_head_norm, "qk"),
        _gamma(_ATTENTION + "-Norm", _TF + "attention_norm", _HF + "input_layernorm"),
        dense(_FFN + "/i0", _TF + "mlp/gate", _HF + "mlp.gate_proj"),
        dense(_FFN + "/i1", _TF + "mlp/up", _HF + "mlp.up_proj"),
        dense(_FFN + "/o", _TF + "mlp/down", _HF + "mlp.down_proj"),
        _gamma(_FFN + "-Norm", _TF + "mlp_norm", _HF + "post_attention_layernorm"),
        _gamma("Output-Norm", "llama/output_norm", "model.norm"),
        plain(
            "Output-LM/kernel",
            "llama/lm_head/kernel",
            "lm_head.weight",
            turned=("hf",),
            vocab=1,
        ),
    )
    # Qwen2 and Qwen3 under this name would lose their biases and norms.
    foreign_names = ("q_proj.bias", "k_proj.bias", "self_attn.q_norm", "/q_norm")
    visibility = "lm"
    position = ScaledRotary()
    pre_norm = True
    use_bias = False
    norm_epsilon = 1e-6
    norm_arguments = {"zero_mean": False, "offset": False}
    with_mlm = False  # language-model applications set it; the head is there anyway
    options = {
        **Transformer.options,
        "with_lm": True,
        "final_activation": "softmax",
        "tie_word_embeddings": False,
        "num_key_value_heads": None,  # default: as many as queries have
        "attention_bias": False,
        "rope_theta": 10000.0,
        "rope_scaling": None,
        "custom_position_ids": False,
    }
    unsupported = {
        "with_mlm": "the language model head is there anyway, see with_lm",
        "embedding_size": "the embeddings have hidden_size",
        "segment_vocab_size": "there is no table of segments",
        "unilm": "it goes by segment ids, which this family does not read",
    }
    defaults = {"pad_token_id": None, "segment_vocab_size": 0, "hidden_act": "silu"}
    config_keys = {
        "head_dim": "attention_head_size",
        "rms_norm_eps": "layer_norm_eps",
        "attention_dropout": "attention_dropout_rate",
    }
    ignored_keys = frozenset({"pretraining_tp", "sliding_window", "max_window_layers"})

    @classmethod
    def understood(cls, values):
        """Refuse local attention and biases inside; one form for rotary settings."""
        full = ["full_attention"] * len(values.get("layer_types") or ())
        only = {"mlp_bias": False, "use_sliding_window": False, "layer_types": full}
        return with_rope(without_end_as_pad(refuse_others(values, only)))

    def published(self, values):
        """Say outright what transformers would fill in differently by family."""
        said = ("attention_head_size", "tie_word_embeddings", "rope_theta")
        key_heads = self.num_key_value_heads or self.num_attention_heads
        values = {**values, "num_key_value_heads": key_heads}
        return {**values, **{name: getattr(self, name) for name in said}}

    def attention_layer(self, name, **arguments):
        """With shared key heads, and features i and i + K/2 turned as a pair."""
        own = {
            "kv_heads": self.num_key_value_heads,
            "use_bias": self.attention_bias,
            "rotary_halves": True,
        }
        return super().attention_layer(name, **{**own, **arguments})

    @property
    def feed_forward_activation(self):
        return [self.hidden_act, "linear"]

    def finish_embeddings(self, x):
        """Nothing stands between the token table and the first block."""
        return x

    def apply_final_layers(self, inputs):
        """Norm, then (B, T, D) -> (B, T, V), or the hidden states without a head."""
        x = self.norm(inputs, "Output-Norm")
        return heads.language_model(self, x, tied=self.tie_word_embeddings)


class Qwen2(Llama):
    """Llama with biases of queries, keys and values (https://arxiv.org/abs/2407.10671)."""

    model_type = "qwen2"

    def attention_layer(self, name):
        return super().attention_layer(name, use_bias=True, out_bias=False)


class Qwen3(Llama):
    """Llama with normed queries and keys (https://arxiv.org/abs/2505.09388)."""

    model_type = "qwen3"
    defaults = {**Llama.defaults, "attention_head_size": 128}

    def attention_layer(self, name):
        epsilon = self.layer_norm_eps or self.norm_epsilon
        return super().attention_layer(name, qk_norm=epsilon)
