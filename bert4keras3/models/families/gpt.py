"""GPT: causal decoder with BERT's post-norm blocks; OpenAI's first and CDial-GPT."""

from bert4keras3.backend.activations import activation_name
from bert4keras3.checkpoints.names import dense, norm, plain, table
from bert4keras3.layers import Dropout
from bert4keras3.models import heads
from bert4keras3.models.positions import Learned
from bert4keras3.models.published import (
    refuse_others,
    renamed_activation,
    without_end_as_pad,
)
from bert4keras3.models.transformer import Transformer

_TF, _HF = "gpt/transformer/layer_{i}/", "transformer.h.{i}."
_ATTENTION = "Transformer-{i}-MultiHeadSelfAttention"
_FFN, _OUT = "Transformer-{i}-FeedForward", "attention/output/dense"

EMBEDDING_NAMES = table(
    plain(
        "Embedding-Token/embeddings",
        "gpt/embeddings/word_embeddings",
        "transformer.tokens_embed.weight",
        vocab=0,
        aliases=("lm_head.weight",),
    ),
    # Hugging Face has no table for these; the name is ours.
    plain(
        "Embedding-Segment/embeddings",
        "gpt/embeddings/token_type_embeddings",
        "transformer.token_types_embed.weight",
    ),
    plain(
        "Embedding-Position/embeddings",
        "gpt/embeddings/position_embeddings",
        "transformer.positions_embed.weight",
    ),
)
# Hugging Face keeps kernels [in, out] as we do, OpenAI has convolutions of width 1.
_KERNEL = {"turned": (), "convolved": True}
BLOCK_NAMES = table(
    # Hugging Face keeps q, k and v side by side.
    *(
        dense(
            f"{_ATTENTION}/{name[0]}",
            f"{_TF}attention/self/{name}",
            _HF + "attn.c_attn",
            part=(("hf", (index, 3)),),
            **_KERNEL,
        )
        for index, name in enumerate(("query", "key", "value"))
    ),
    dense(f"{_ATTENTION}/o", _TF + _OUT, _HF + "attn.c_proj", **_KERNEL),
    norm(_ATTENTION + "-Norm", _TF + "attention/output/LayerNorm", _HF + "ln_1"),
    dense(_FFN + "/i0", _TF + "intermediate/dense", _HF + "mlp.c_fc", **_KERNEL),
    dense(_FFN + "/i1", _TF + "intermediate/dense_1", _HF + "mlp.c_fc_1", **_KERNEL),
    dense(_FFN + "/o", _TF + "output/dense", _HF + "mlp.c_proj", **_KERNEL),
    norm(_FFN + "-Norm", _TF + "output/LayerNorm", _HF + "ln_2"),
)


class GPT(Transformer):
    """Causal decoder, post-norm (https://openai.com/research/language-unsupervised).

    with_lm: the head on the token table, True for final_activation ("softmax"), the
    name of another activation, or False for hidden states. shared_segment_embeddings
    with segment_vocab_size=2 takes segment ids from the token table (CDial-GPT,
    https://arxiv.org/abs/2008.03946). Nothing is padding unless pad_token_id says so.
    bert4keras had layer_norm_eps=1e-12 and pad_token_id=0.
    """

    model_type = "openai-gpt"
    names = table(EMBEDDING_NAMES, BLOCK_NAMES)
    visibility = "lm"
    position = Learned()
    norm_epsilon = 1e-5
    with_mlm = False  # language-model applications set it; the head is there anyway
    options = {
        **Transformer.options,
        "with_lm": True,
        "final_activation": "softmax",
        "embedding_dropout_rate": None,  # default: dropout_rate
        "hierarchical_position": None,
        "custom_position_ids": False,
        "shared_segment_embeddings": False,
    }
    unsupported = {
        "with_pool": "a GPT has no pooler",
        "with_nsp": "a GPT has no next-sentence head",
        "with_mlm": "a GPT has its language model head anyway, see with_lm",
        "embedding_size": "a GPT has embeddings of hidden_size",
    }
    defaults = {"pad_token_id": None, "hidden_act": "gelu_new"}
    config_keys = {
        "n_embd": "hidden_size",
        "n_layer": "num_hidden_layers",
        "n_head": "num_attention_heads",
        "n_inner": "intermediate_size",
        "n_positions": "max_position",
        "n_ctx": "max_position",
        "afn": "hidden_act",
        "layer_norm_epsilon": "layer_norm_eps",
        "resid_pdrop": "dropout_rate",
        "attn_pdrop": "attention_dropout_rate",
        "embd_pdrop": "embedding_dropout_rate",
    }
    ignored_keys = frozenset(
        """n_special predict_special_tokens reorder_and_upcast_attn summary_activation
        summary_first_dropout summary_proj_to_labels summary_type summary_use_proj
        """.split()
    )
    activations = {"gelu": "gelu_tanh"}  # what transformers means by their names

    @classmethod
    def understood(cls, values):
        """Fill in what a Hugging Face config, known by its n_embd, leaves unsaid."""
        if "n_embd" not in values:
            return values
        only = {"scale_attn_weights": True, "scale_attn_by_inverse_layer_idx": False}
        values = without_end_as_pad(refuse_others(values, only))
        if "segment_vocab_size" not in values:
            values.setdefault("type_vocab_size", 0)
        values["n_inner"] = values.get("n_inner") or 4 * values["n_embd"]
        for key in {"afn", "activation_function"} & set(values):
            values[key] = renamed_activation(values[key], cls.activations)
        return values

    def published(self, values):
        """Translate the activation's name, and say the embedding dropout outright."""
        ours = {one: name for name, one in self.activations.items()}
        values["hidden_act"] = renamed_activation(
            activation_name(values["hidden_act"]), ours
        )
        return {**values, "embedding_dropout_rate": self._embedding_dropout_rate()}

    def _embedding_dropout_rate(self):
        rate = self.embedding_dropout_rate
        return self.dropout_rate if rate is None else rate

    def finish_embeddings(self, x):
        """Dropout alone."""
        rate = self._embedding_dropout_rate()
        return self.get(Dropout, "Embedding-Dropout", rate=rate)(x) if rate else x

    def apply_final_layers(self, inputs):
        """(B, T, D) -> (B, T, V), or the hidden states without a head."""
        return heads.language_model(self, inputs)
