"""Output heads as functions head(t, x): pooler, next sentence, masked LM."""

import keras
from keras import ops

from bert4keras3.backend.activations import get_activation
from bert4keras3.layers import Dense, Embedding, ScaleOffset


def activation_of(option, default):
    """Activation of a head option: True means the default, a string itself."""
    return get_activation(default if option is True else option)


def hidden_activation(t, option):
    """hidden_act as the one function that the dense layer of a head needs.

    Raises ValueError, naming the option, for a gated hidden_act.
    """
    if isinstance(t.hidden_act, (list, tuple)):
        raise ValueError(
            f"{option} needs one hidden_act for the head's dense layer. Received the "
            f"gated form {list(t.hidden_act)}: build without {option} and add a head."
        )
    return get_activation(t.hidden_act)


def pooled(t, x):
    """First token through a dense layer: (B, T, D) -> (B, D), packed (B, N, D)."""
    x = t.text_vectors(x, "Pooler")
    layer = t.get(
        Dense,
        "Pooler-Dense",
        units=t.hidden_size,
        # NSP stands on it too.
        activation=activation_of(t.with_pool or True, t.pooler_hidden_act),
        kernel_initializer=t.initializer,
    )
    return layer(x)


def next_sentence(t, x):
    """Pooled vector -> probabilities (B, 2); index 0 means "is next"."""
    layer = t.get(
        Dense,
        "NSP-Proba",
        units=2,
        activation="softmax",
        kernel_initializer=t.initializer,
    )
    return layer(x)


def masked_lm(t, x):
    """(B, T, D) -> (B, T, V): dense, norm, tied projection, bias, activation."""
    dense = t.get(
        Dense,
        "MLM-Dense",
        units=t.embedding_size,
        activation=hidden_activation(t, "with_mlm"),
        kernel_initializer=t.initializer,
    )
    x = t.norm(dense(x), "MLM-Norm", epsilon=t.layer_norm_eps or 1e-12)
    x = vocabulary_bias(t, vocabulary_scores(t, x), "MLM-Bias")
    return output_activation(t, x, t.with_mlm, "MLM-Activation")


def language_model(t, x, tied=True):
    """(B, T, D) -> (B, T, V) with the token table or a matrix of its own.

    The options of `t`: with_lm, False for x itself, True for final_activation, or
    the name of an activation.
    """
    if not t.with_lm:
        return x
    x = vocabulary_scores(t, x, tied)
    option = t.final_activation if t.with_lm is True else t.with_lm
    return output_activation(t, x, option, "LM-Activation")


def vocabulary_scores(t, x, tied=True):
    """(B, T, E) -> (B, T, V) with the token table or a matrix of its own, no bias."""
    if t.ctx.wanted == "states":
        return x
    if tied and t.ctx.table is not None:
        return ops.matmul(ops.cast(x, t.ctx.table.dtype), t.ctx.table)
    if tied:
        return t.get(Embedding, "Embedding-Token")(x, mode="dense")
    layer = t.get(
        Dense,
        "Output-LM",
        units=t.vocab_size,
        use_bias=False,
        kernel_initializer=t.initializer,
    )
    return layer(x)


def vocabulary_bias(t, x, name):
    """(B, T, V) plus the bias of that name."""
    if t.ctx.wanted == "states":
        return x
    return t.get(ScaleOffset, name, scale=False)(x)


def output_activation(t, x, option, name):
    """Final activation layer of a vocabulary head, softmax by default.

    Always float32: probabilities and losses over a vocabulary need it.
    """
    if t.ctx.wanted != "heads":
        return x
    layer = t.get(
        keras.layers.Activation,
        name,
        activation=activation_of(option, "softmax"),
        dtype="float32",
    )
    return layer(x)
