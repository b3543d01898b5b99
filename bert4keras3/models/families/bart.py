"""BART, English and Chinese."""

from bert4keras3.checkpoints.names import dense, norm, plain, table
from bert4keras3.models import encoder_decoder as sides
from bert4keras3.models import heads
from bert4keras3.models.positions import Offset
from bert4keras3.models.published import refuse_others
from bert4keras3.models.transformer import Transformer

_HEAD = "lm_head.weight"


def _named(rows, ours, hf):
    """Rows of `dense` or `norm`; no TensorFlow file exists, its names follow."""
    return rows(ours, hf.replace(".", "/"), hf)


def _table(ours, hf, **how):
    return plain(ours, hf.replace(".", "/"), hf, **how)


def _attention(ours, hf):
    """Rows of one attention sub-layer, with its norm."""
    return table(
        *(_named(dense, f"{ours}/{part}", f"{hf}.{part}_proj") for part in "qkv"),
        _named(dense, f"{ours}/o", f"{hf}.out_proj"),
        _named(norm, f"{ours}-Norm", f"{hf}_layer_norm"),
    )


def _side(side):
    """Rows of one side."""
    block, hf = f"{side}-Transformer-{{i}}-", f"model.{side.lower()}."
    ffn, layer = block + "FeedForward", hf + "layers.{i}."
    return table(
        _table(f"{side}-Embedding-Position/embeddings", hf + "embed_positions.weight"),
        _named(norm, f"{side}-Embedding-Norm", hf + "layernorm_embedding"),
        _attention(block + "MultiHeadSelfAttention", layer + "self_attn"),
        _named(dense, ffn + "/i0", layer + "fc1"),
        _named(dense, ffn + "/i1", layer + "fc1_1"),  # gated ones are ours alone
        _named(dense, ffn + "/o", layer + "fc2"),
        _named(norm, ffn + "-Norm", layer + "final_layer_norm"),
        _named(norm, f"{side}-Output-Norm", hf + "layer_norm"),
    )


BART_NAMES = table(
    _table(
        "Embedding-Token/embeddings",
        "model.shared.weight",
        vocab=0,
        aliases=(*(f"model.{s}coder.embed_tokens.weight" for s in ("en", "de")), _HEAD),
    ),
    _side("Encoder"),
    _side("Decoder"),
    _attention(
        "Decoder-Transformer-{i}-MultiHeadCrossAttention",
        "model.decoder.layers.{i}.encoder_attn",
    ),
    _table("Decoder-Output-Bias/beta", "final_logits_bias", vocab=0, rowed=("hf",)),
    sides.mapping_names(),
)


class BART_Base(Transformer):  # noqa: N801  (as T5_Base)
    """What both halves share (https://arxiv.org/abs/1910.13461).

    scale_embedding: multiply token embeddings by the root of their size.
    Chinese BART (https://arxiv.org/abs/2109.05729) reads BERT's vocabulary, with 0 as
    pad_token_id; it starts and ends texts with [CLS] and [SEP].
    """

    model_type = "bart"
    names = BART_NAMES
    position = Offset()
    norm_epsilon = 1e-5
    defaults = {"segment_vocab_size": 0, "pad_token_id": 1}
    options = {
        **Transformer.options,
        "with_lm": True,
        "context_mask": False,
        "num_decoder_layers": None,
        "scale_embedding": False,
    }
    config_keys = {
        "d_model": "hidden_size",
        "encoder_layers": "num_hidden_layers",
        "decoder_layers": "num_decoder_layers",
        "encoder_attention_heads": "num_attention_heads",
        "encoder_ffn_dim": "intermediate_size",
        "activation_function": "hidden_act",
        "dropout": "dropout_rate",
        "attention_dropout": "attention_dropout_rate",
    }
    ignored_keys = frozenset(
        """activation_dropout add_bias_logits classif_dropout decoder_layerdrop
        encoder_layerdrop force_bos_token_to_be_generated init_std
        """.split()
    )
    # What published configs may say besides, with the one value that is this model.
    only = {
        "add_final_layer_norm": False,
        "extra_pos_embeddings": 2,
        "normalize_before": False,
        "normalize_embedding": True,
        "static_position_embeddings": False,
        "tie_word_embeddings": True,
    }

    @classmethod
    def understood(cls, values):
        """Refuse what other members of the family compute."""
        values = refuse_others(values, cls.only)
        if "d_model" not in values:
            return values
        for name in ("attention_heads", "ffn_dim"):
            ours = values.get(f"encoder_{name}")
            values = refuse_others(values, {f"decoder_{name}": ours})
        return values

    def published(self, values):
        """The decoder's sizes, which are the encoder's."""
        values = {
            **values,
            "num_decoder_layers": sides.decoder_depth(self),
            "decoder_attention_heads": self.num_attention_heads,
            "decoder_ffn_dim": self.intermediate_size,
        }
        return super().published(values)


class BART_Encoder(BART_Base, sides.Encoder):  # noqa: N801
    """BART's encoder."""


class BART_Decoder(BART_Base, sides.Decoder):  # noqa: N801
    """BART's decoder."""

    def vocabulary_scores(self, x):
        """(B, T, D) -> (B, T, V) with the token table and a bias."""
        return heads.vocabulary_bias(self, super().vocabulary_scores(x), "Output-Bias")


class BART(BART_Base, sides.EncoderDecoder):
    """BART, post-norm."""

    encoder_class, decoder_class = BART_Encoder, BART_Decoder
