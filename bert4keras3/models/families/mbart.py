"""mBART: a pre-norm BART of many languages."""

from bert4keras3.models.families.bart import (
    BART,
    BART_Base,
    BART_Decoder,
    BART_Encoder,
)


class _PreNorm:
    """What mBART changed."""

    model_type = "mbart"
    pre_norm = True
    only = {**BART_Base.only, "add_final_layer_norm": True, "normalize_before": True}


class MBART_Encoder(_PreNorm, BART_Encoder):  # noqa: N801
    """mBART's encoder."""


class MBART_Decoder(_PreNorm, BART_Decoder):  # noqa: N801
    """mBART's decoder."""


class MBART(_PreNorm, BART):
    """mBART (https://arxiv.org/abs/2001.08210)."""

    encoder_class, decoder_class = MBART_Encoder, MBART_Decoder
