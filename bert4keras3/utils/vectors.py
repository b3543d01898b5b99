"""Sentence vectors of many texts, and the nearest of a corpus."""

from collections.abc import Sequence

import numpy as np

from bert4keras3.utils.checks import as_list
from bert4keras3.utils.padding import LENGTHS, LengthBuckets
from bert4keras3.utils.prediction import predict_batches

BLOCK = 1 << 22  # scores that exist at once


def unit_rows(vectors) -> np.ndarray:
    """Rows (N, D) divided by their lengths, float32; rows of zeros stay."""
    vectors = np.asarray(vectors, "float32")
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.maximum(lengths, 1e-12)


def sentence_vectors(
    model,
    tokenizer,
    texts: Sequence[str],
    maxlen: int = 64,
    batch_size: int = 64,
    buckets: LengthBuckets | Sequence[int] = LENGTHS,
    unit: bool = True,
) -> np.ndarray:
    """Vectors of length one, float32 (N, D): their products are cosines.

    model: a Keras model whose only output is a vector per text (B, D), such as
        `keras.Model(bert.model.inputs, bert.model.outputs[0])` of a model with_pool;
    maxlen: tokens of a text, longer ones are cut; batch_size, buckets: see
    `predict_batches`. Raises ValueError for a model with another output.
    """
    shape = getattr(model, "output_shape", None)
    if not isinstance(shape, tuple) or len(shape) != 2:
        raise ValueError(
            "sentence_vectors needs a model with one output (B, D). Received a model "
            f"with output {shape}. Take the pooled vector alone: "
            "keras.Model(bert.model.inputs, bert.model.outputs[0])"
        )
    count, texts = len(model.inputs), as_list(texts, "texts")
    samples = [tokenizer.encode(text, maxlen=maxlen)[:count] for text in texts]
    vectors = np.zeros((len(samples), shape[-1]), "float32")
    for rows, outputs in predict_batches(model, samples, batch_size, buckets):
        vectors[rows] = outputs
    return unit_rows(vectors) if unit else vectors


def most_similar(queries, corpus, k: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """The k rows of a corpus nearest to each query, best first: (numbers, scores).

    queries: (N, D); corpus: (M, D); both of `sentence_vectors`, so that the score is
    the cosine. Returns int64 and float32 (N, min(k, M)); of equals the first stands
    first. Works in blocks: the whole matrix of scores never exists.
    Raises ValueError for other shapes, k < 1 and vectors with NaN.
    """
    queries, corpus = np.asarray(queries), np.asarray(corpus)
    if queries.ndim != 2 or queries.shape[1:] != corpus.shape[1:] or not len(corpus):
        raise ValueError(
            "most_similar needs queries (N, D) and a corpus (M, D) of at least one "
            f"row. Received: shapes {queries.shape} and {corpus.shape}"
        )
    if k < 1:
        raise ValueError(f"k must be at least 1. Received: {k}")
    if np.isnan(queries).any() or np.isnan(corpus).any():
        raise ValueError("most_similar received vectors with NaN: the model is broken.")
    step = max(1, BLOCK // len(corpus))
    found = [
        _best(queries[start : start + step] @ corpus.T, min(k, len(corpus)))
        for start in range(0, len(queries), step)
    ] or [_best(np.zeros((0, len(corpus)), "float32"), min(k, len(corpus)))]
    numbers, scores = (np.concatenate(one) for one in zip(*found, strict=True))
    return numbers, scores


def _best(scores, k):
    """Numbers and values of the k largest of each row, in order."""
    least = np.partition(scores, -k, axis=-1)[:, -k, None]
    # What is above the k-th largest is in; of its equals the first fill the rest.
    equal = scores == least
    room = k - (scores > least).sum(-1, keepdims=True)
    chosen = (scores > least) | (equal & (np.cumsum(equal, axis=-1) <= room))
    numbers = np.nonzero(chosen)[1].reshape(len(scores), k)
    values = np.take_along_axis(scores, numbers, axis=-1)
    order = np.argsort(-values, axis=-1, kind="stable")
    return tuple(np.take_along_axis(x, order, axis=-1) for x in (numbers, values))
