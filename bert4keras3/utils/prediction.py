"""Predict on texts of different lengths in large batches of few shapes."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from bert4keras3.utils.padding import LENGTHS, LengthBuckets, sequence_padding


def predict_batches(
    model,
    samples: Sequence[tuple],
    batch_size: int = 64,
    buckets: LengthBuckets | Sequence[int] = LENGTHS,
    value: int = 0,
) -> Iterator[tuple]:
    """Yield (rows, outputs) until every sample is predicted.

    model: has `predict_on_batch`; samples: one tuple of sequences for each, such as
    (token_ids, segment_ids); buckets: lengths to pad to with `value`.
    rows: (N,) int array of positions in `samples`; outputs: what the model gives for
    them, an array (N, ...) or a list of them. Samples of similar length go together,
    longest first, so that a batch too large for the memory fails at once; every batch
    has batch_size rows for the model (the last of a bucket is filled up and cut again),
    so that compiled backends see one shape for each bucket.
    Raises ValueError for a sample longer than the last bucket or batch_size < 1.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1. Received: {batch_size}")
    if not isinstance(buckets, LengthBuckets):
        buckets = LengthBuckets(buckets)
    groups: dict[int, list[int]] = {}
    for row, sample in enumerate(samples):
        groups.setdefault(buckets.fit(max(map(len, sample))), []).append(row)
    for length in sorted(groups, reverse=True):
        rows = groups[length]
        for start in range(0, len(rows), batch_size):
            chosen = np.array(rows[start : start + batch_size])
            filled = np.resize(chosen, batch_size)
            columns = zip(*(samples[row] for row in filled), strict=True)
            inputs = [sequence_padding(column, length, value) for column in columns]
            outputs = model.predict_on_batch(inputs if len(inputs) > 1 else inputs[0])
            yield chosen, _cut(outputs, len(chosen))


def predict_each(
    model,
    samples: Sequence[tuple],
    decode: Callable,
    batch_size: int = 64,
    buckets: LengthBuckets | Sequence[int] = LENGTHS,
) -> list:
    """Predict and decode every sample; returns the results in the samples' order.

    decode: called as decode(outputs, rows) with what `predict_batches` yields; returns
    one result for every row. The other arguments are those of `predict_batches`.
    Raises ValueError if decode returns another number of results.
    """
    results = [None] * len(samples)
    for rows, outputs in predict_batches(model, samples, batch_size, buckets):
        decoded = decode(outputs, rows)
        if len(decoded) != len(rows):
            raise ValueError(
                f"decode must return one result for each of the {len(rows)} rows. "
                f"It returned {len(decoded)}."
            )
        for row, result in zip(rows, decoded, strict=True):
            results[row] = result
    return results


def _cut(outputs, size):
    if isinstance(outputs, (list, tuple)):
        return [np.asarray(one)[:size] for one in outputs]
    return np.asarray(outputs)[:size]
