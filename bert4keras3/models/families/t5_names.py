"""T5's weight names: mesh-TensorFlow checkpoints and Hugging Face."""

from dataclasses import replace

import numpy as np

from bert4keras3.checkpoints.names import plain, renamed, table
from bert4keras3.models.encoder_decoder import mapping_names

_QKVO = {name: name for name in "qkvo"}
_FFN = {"i0": "wi_0/kernel", "i1": "wi_1/kernel", "o": "wo/kernel"}


def _sublayer(side, number, part, theirs, weights):
    """Rows of one sub-layer: its norm and its kernels."""
    ours, low = f"{side}-Transformer-{{i}}-{part}", side.lower()
    tf = f"{low}/block_{{i:03d}}/layer_{number:03d}/"
    hf = f"{low}.block.{{i}}.layer.{number}."
    gamma = f"{ours}-Norm/gamma"
    rows = plain(gamma, tf + "layer_norm/scale", hf + "layer_norm.weight")
    for name, spelled in weights.items():
        rows += plain(
            f"{ours}/{name}/kernel",
            f"{tf}{theirs}/{spelled}",
            f"{hf}{theirs}.{spelled.removesuffix('/kernel')}.weight",
            turned=("hf",),
        )
    return rows


def _side(side):
    """Rows of one side outside its blocks; the scores of distances lie in block 0."""
    low = side.lower()
    return table(
        plain(
            f"{side}-Embedding-Relative-Position/embeddings",
            f"{low}/block_000/layer_000/SelfAttention/relative_attention_bias",
            f"{low}.block.0.layer.0.SelfAttention.relative_attention_bias.weight",
            turned=("tf",),
        ),
        plain(
            f"{side}-Output-Norm/gamma",
            f"{low}/final_layer_norm/scale",
            f"{low}.final_layer_norm.weight",
        ),
    )


TOKEN_NAMES = plain(
    "Embedding-Token/embeddings",
    "shared/embedding",
    "shared.weight",
    vocab=0,
    aliases=("encoder.embed_tokens.weight", "decoder.embed_tokens.weight"),
)
TF_HEAD, HF_HEAD = "decoder/logits/kernel", "lm_head.weight"
HEAD_NAMES = plain(
    "Decoder-Output-LM/kernel", TF_HEAD, HF_HEAD, turned=("hf",), vocab=1
)
GATED_NAMES = table(
    _side("Encoder"),
    _sublayer("Encoder", 0, "MultiHeadSelfAttention", "SelfAttention", _QKVO),
    _sublayer("Encoder", 1, "FeedForward", "DenseReluDense", _FFN),
    _side("Decoder"),
    _sublayer("Decoder", 0, "MultiHeadSelfAttention", "SelfAttention", _QKVO),
    _sublayer("Decoder", 1, "MultiHeadCrossAttention", "EncDecAttention", _QKVO),
    _sublayer("Decoder", 2, "FeedForward", "DenseReluDense", _FFN),
    mapping_names(bias=False),
)
PLAIN_NAMES = renamed(
    renamed(GATED_NAMES, ("wi_0/", "wi/"), style="tf"), (".wi_0.", ".wi.")
)


def t5_names(gated, tied):
    """Rows of a T5: gated, of two branches in the FFN; tied, no output table."""
    rows = GATED_NAMES if gated else PLAIN_NAMES
    if not tied:
        return table(TOKEN_NAMES, rows, HEAD_NAMES)
    # Old files repeat the token table under the head's name.
    token = replace(TOKEN_NAMES[0], aliases=(*TOKEN_NAMES[0].aliases, HF_HEAD))
    return table((token,), rows)


def has_own_head(checkpoint):
    """Whether the logits have a table that is not the token table again.

    transformers 5 writes "tied" into every config, and ties what is equal.
    """
    if TF_HEAD in checkpoint:
        return True
    both = (TOKEN_NAMES[0].hf, HF_HEAD)
    if any(name not in checkpoint for name in both):
        return False
    return not np.array_equal(*(checkpoint[name].read() for name in both))


_NORMS = (("final_layer_norm", "rms_norm"), ("layer_norm", "rms_norm"))


def as_mt5(rows):
    """The rows with mT5's TensorFlow names."""
    return renamed(rows, *_NORMS, style="tf")


def _mt5_name(name):
    for t5, mt5 in _NORMS:
        name = name.replace(t5, mt5)
    return name


def _t5_name(name):
    name = name.replace("coder/rms_norm", "coder/final_layer_norm")
    return name.replace("rms_norm", "layer_norm")


DIALECTS = (("tf", "names of mT5", _mt5_name), ("tf", "names of T5", _t5_name))
