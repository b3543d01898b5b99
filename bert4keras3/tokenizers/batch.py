"""Flat arrays of many encoded texts, and how they become padded batches.

N texts, L padded length.
"""

from typing import NamedTuple

import numpy as np

from bert4keras3.utils.padding import LengthBuckets, sequence_padding


class Rows(NamedTuple):
    """Encoded texts laid end to end.

    ids: (sum of lengths,) int32; lengths: (N,) tokens of each row; second: (N,) where
    segment 1 begins in each row (its length when there is no second text).
    """

    ids: np.ndarray
    lengths: np.ndarray
    second: np.ndarray


class Column(NamedTuple):
    """Tokens of one text per row, without start and end token.

    ids: (sum of counts,) int32; counts: (N,).
    """

    ids: np.ndarray
    counts: np.ndarray

    def cut(self, kept, left):
        """Keep `kept: (N,)` (or one number of) tokens of each row.

        left: cut at the left, so that the last ones stay.
        """
        kept = np.broadcast_to(kept, self.counts.shape)
        if (kept >= self.counts).all():
            return self
        starts = np.cumsum(self.counts) - self.counts
        place = np.arange(len(self.ids)) - np.repeat(starts, self.counts)
        if left:
            chosen = place >= np.repeat(self.counts - kept, self.counts)
        else:
            chosen = place < np.repeat(kept, self.counts)
        return Column(self.ids[chosen], np.minimum(kept, self.counts))


def balanced_columns(first, second, maxlen):
    """`utils.text.balanced_lengths` for arrays of sizes: (N,), (N,) -> kept sizes."""
    # On ties the first is shortened first, so an odd remainder goes to the second.
    half = maxlen // 2
    kept_first = np.minimum(first, np.maximum(maxlen - second, half))
    kept_second = np.minimum(second, np.maximum(maxlen - first, maxlen - half))
    return kept_first, kept_second


def joined(parts):
    """Lay columns side by side: per row, the tokens of every part in turn.

    parts: Columns, or ints (the same token in every row).
    """
    rows = next(len(p.counts) for p in parts if isinstance(p, Column))
    counts = [p.counts if isinstance(p, Column) else np.ones(rows, int) for p in parts]
    lengths = np.sum(counts, axis=0)
    start = np.cumsum(lengths) - lengths
    flat = np.empty(int(lengths.sum()), "int32")
    for part, count in zip(parts, counts, strict=True):
        if isinstance(part, Column):
            inside = np.cumsum(count) - count
            shift = np.repeat(start - inside, count)
            flat[np.arange(len(part.ids)) + shift] = part.ids
        else:
            flat[start] = part
        start = start + count
    return flat, lengths


def plan_length(maxlen, length):
    """Return (maxlen, fit): the bound of each row, and longest row -> padded length."""
    if length is None or isinstance(length, str):
        if length not in (None, "longest"):
            raise ValueError(
                "length must be None, 'longest', an int or several ints. "
                f"Received {length!r}."
            )
        return maxlen, lambda longest: longest
    if isinstance(length, (int, np.integer)):
        bound = int(length)
        return bound if maxlen is None else min(maxlen, bound), lambda longest: bound
    buckets = length if isinstance(length, LengthBuckets) else LengthBuckets(length)
    bound = buckets.sizes[-1]
    return bound if maxlen is None else min(maxlen, bound), buckets.fit


def assemble(rows, fit, pad, as_lists=False):
    """Turn Rows into padded arrays (N, L) int32 (ids, segments), or lists of lists."""
    if as_lists:
        ends = np.cumsum(rows.lengths)
        ids = [part.tolist() for part in np.split(rows.ids, ends[:-1])]
        pairs = zip(rows.lengths.tolist(), rows.second.tolist(), strict=True)
        segments = [[0] * min(s, n) + [1] * (n - s) for n, s in pairs]
        return (ids, segments) if len(rows.lengths) else ([], [])
    longest = int(rows.lengths.max()) if len(rows.lengths) else 0
    place = np.arange(fit(longest))
    filled = place < rows.lengths[:, None]
    ids = np.full(filled.shape, pad, "int32")
    ids[filled] = rows.ids
    if (rows.second >= rows.lengths).all():
        return ids, np.zeros_like(ids)
    segments = filled & (place >= rows.second[:, None])
    return ids, segments.astype("int32")


def pad_lists(rows, fit, pad):
    """Pad lists of ids to (N, L) int32."""
    if not len(rows):
        return np.zeros((0, fit(0)), "int32")
    longest = max(map(len, rows))
    return sequence_padding(list(rows), length=fit(longest), value=pad)
