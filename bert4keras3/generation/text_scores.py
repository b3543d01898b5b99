"""Scores of texts for TextSearch: fluency, keywords, sentence vectors.

A score is a function of ids (C, W), padded, and lengths (C,), both with start and end
token, on keras.ops. C texts, K keywords, M tokens of the longest one.
"""

import numpy as np
from keras import ops

from bert4keras3.backend.tensors import unit_vectors
from bert4keras3.generation.gibbs import masked_model, model_inputs
from bert4keras3.utils.checks import as_list


def log_likelihood(transformer):
    """A score: log p of the tokens behind the first, (C,), by a language model.

    transformer: built with application="lm", or of a family that is a language model;
    it reads the ids of the texts, so its vocabulary is that of the search.
    Raises ValueError for any other.
    """
    t = getattr(transformer, "transformer", transformer)
    if t.visibility != "lm" or t.reads_memory:
        raise ValueError(
            f"log_likelihood needs a causal language model: build the "
            f"{type(t).__name__} with application='lm'."
        )

    def score(ids, lengths):
        inputs = model_inputs(t, ids)
        ctx = t.context(inputs)
        ctx.wanted = "logits"
        logits = ops.cast(t.forward(inputs, ctx), "float32")[:, :-1]
        chosen = ops.take_along_axis(logits, ids[:, 1:, None], axis=-1)[..., 0]
        logs = chosen - ops.logsumexp(logits, axis=-1)
        columns = ops.expand_dims(ops.arange(1, ops.shape(ids)[1]), 0)
        return ops.sum(ops.where(columns < lengths[:, None], logs, 0.0), axis=1)

    return score


def pseudo_likelihood(transformer, tokenizer):
    """A score: sum over the tokens of log p(token | all others), (C,).

    https://arxiv.org/abs/1910.14659; transformer: a masked language model; tokenizer:
    tells the id of its mask. Every token is masked once: C * W texts per call.
    Raises ValueError for a model without masked-LM head.
    """
    t, mask_id = (
        masked_model(transformer, "pseudo_likelihood"),
        tokenizer._token_mask_id,
    )

    def score(ids, lengths):
        chains, width = ops.shape(ids)
        columns = ops.arange(width)
        inner = columns[1:-1]
        hidden = ops.expand_dims(columns[None] == inner[:, None], 0)
        texts = ops.where(hidden, mask_id, ids[:, None])
        texts = ops.reshape(texts, (chains * (width - 2), width))
        places = ops.tile(inner, (chains,))[:, None]
        logits = t.logits_at(t.context(model_inputs(t, texts)), places)
        tokens = ops.reshape(ids[:, 1:-1], (-1, 1))
        logs = ops.take_along_axis(logits, tokens, axis=1)[:, 0]
        logs = ops.reshape(logs - ops.logsumexp(logits, axis=-1), (chains, width - 2))
        real = inner[None] < lengths[:, None] - 1
        return ops.sum(ops.where(real, logs, 0.0), axis=1)

    return score


def mean_vectors(transformer):
    """A function of ids and lengths: mean last states of the texts, (C, D), of norm 1.

    transformer: an encoder without a head. The product of two vectors is their cosine.
    """
    t = getattr(transformer, "transformer", transformer)

    def vectors(ids, lengths):
        states = ops.cast(t.forward(model_inputs(t, ids)), "float32")
        real = ops.expand_dims(ops.arange(ops.shape(ids)[1]), 0) < lengths[:, None]
        total = ops.sum(ops.where(real[..., None], states, 0.0), axis=1)
        return unit_vectors(total)

    return vectors


def keyword_array(tokenizer, keywords):
    """The tokens of the keywords of every text, int32 (C, K, M), filled up with -1.

    keywords: for every text a list of strings. Raises ValueError for one of no token.
    """
    keywords = [as_list(row, "the keywords of a text") for row in keywords]
    if not keywords:
        raise ValueError("keywords must have a list for every text. Received none.")
    rows = [[tokenizer.encode(one)[0][1:-1] for one in row] for row in keywords]
    for row, ids in zip(keywords, rows, strict=True):
        if not all(ids):
            raise ValueError(f"keywords has a keyword of no token: {row!r}")
    longest = max((len(ids) for row in rows for ids in row), default=1)
    most = max(1, *map(len, rows))
    rows = [[*row, *[[]] * (most - len(row))] for row in rows]
    filled = [[[*ids, *[-1] * (longest - len(ids))] for ids in row] for row in rows]
    return np.array(filled, "int32")


def occurs(ids, keywords):
    """Bool (C, K): which of `keywords: (C, K, M)` stand in the texts, in one piece.

    A keyword of nothing but -1 occurs in every text.
    """
    width, size = ops.shape(ids)[1], ops.shape(keywords)[2]
    wide = ops.pad(ids, [[0, 0], [0, size - 1]], constant_values=-2)
    here = True
    for i in range(size):
        wanted = keywords[:, :, i, None]
        same = ops.logical_or(wanted < 0, wide[:, None, i : i + width] == wanted)
        here = ops.logical_and(here, same)
    return ops.any(here, axis=-1)
