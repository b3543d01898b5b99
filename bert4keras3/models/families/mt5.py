"""T5 1.1, mT5 and T5-PEGASUS: T5 with a gated FFN and an output table of its own."""

# ruff: noqa: N801  (legacy public names)

from bert4keras3.models.families.t5 import T5, T5_Base, T5_Decoder, T5_Encoder
from bert4keras3.models.families.t5_names import as_mt5


class _Version11:
    """What 1.1 changed (https://arxiv.org/abs/2002.05202)."""

    defaults = {**T5_Base.defaults, "hidden_act": ("gelu_new", "linear")}
    options = {**T5_Base.options, "tie_word_embeddings": False}


class T5_1_1_Encoder(_Version11, T5_Encoder):
    """T5 1.1's encoder."""


class T5_1_1_Decoder(_Version11, T5_Decoder):
    """T5 1.1's decoder."""


class T5_1_1(_Version11, T5):
    """T5 1.1: gated GELU, an output table of its own, unscaled logits."""

    encoder_class, decoder_class = T5_1_1_Encoder, T5_1_1_Decoder


class _MT5(_Version11):
    """mT5 never scales its logits, and its norms have other TensorFlow names."""

    model_type = "mt5"
    options = {**_Version11.options, "logit_scale": False}

    @property
    def names(self):
        """T5's name table with mT5's TensorFlow names."""
        return as_mt5(super().names)


class MT5_Encoder(_MT5, T5_Encoder):
    """mT5's encoder."""


class MT5_Decoder(_MT5, T5_Decoder):
    """mT5's decoder."""


class MT5(_MT5, T5):
    """mT5 (https://arxiv.org/abs/2010.11934)."""

    encoder_class, decoder_class = MT5_Encoder, MT5_Decoder


class _PEGASUS(_MT5):
    """bert4keras's T5 as it was when T5-PEGASUS was trained in it."""

    # Not "mt5": transformers would open a saved folder and give other numbers.
    model_type = "t5_pegasus"
    defaults = {**_MT5.defaults, "hidden_act": ("gelu", "linear")}
    options = {**_MT5.options, "cross_position_bias": True, "logit_scale": True}


class T5_PEGASUS_Encoder(_PEGASUS, T5_Encoder):
    """T5-PEGASUS's encoder."""


class T5_PEGASUS_Decoder(_PEGASUS, T5_Decoder):
    """T5-PEGASUS's decoder."""


class T5_PEGASUS(_PEGASUS, T5):
    """T5-PEGASUS (https://github.com/ZhuiyiTechnology/t5-pegasus).

    The preset for its published checkpoints: mT5's names with cross_position_bias
    and logit_scale, which transformers has not, and the exact GELU. Its tokenizer is
    BERT's with words of jieba; texts start with [CLS] and end with [SEP].
    """

    encoder_class, decoder_class = T5_PEGASUS_Encoder, T5_PEGASUS_Decoder
    end_token_id = None  # its tokens of generation are wherever the vocabulary has them
