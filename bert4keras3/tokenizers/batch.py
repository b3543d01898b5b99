"""From flat token ids of many texts to padded rows, without a loop over texts.

N texts · T tokens of all texts together · L padded length
"""

from itertools import chain
from typing import NamedTuple

import numpy as np

from bert4keras3.utils.padding import LengthBuckets


class Flat(NamedTuple):
    """Ids of many texts without special tokens.

    ids: (T,) int32, text after text; counts: (N,) int64, tokens of each text.
    """

    ids: np.ndarray
    counts: np.ndarray


class Rows(NamedTuple):
    """What a batch of rows is put together from.

    start, end: ids of the special tokens, None = none.
    second_start: whether the second text keeps its start token.
    """

    first: Flat
    second: Flat | None
    start: int | None
    end: int | None
    second_start: bool


def plan_length(maxlen: int | None, length):
    """Resolve `length`: return (maxlen, fit), fit: longest row -> padded length."""
    if length is None or length == "longest":
        return maxlen, lambda longest: longest
    if isinstance(length, (int, np.integer)):
        largest, fit = int(length), lambda longest: int(length)
    elif isinstance(length, str):
        raise ValueError(
            'length must be None, "longest", an int or several ints. '
            f"Received {length!r}."
        )
    else:
        buckets = length if isinstance(length, LengthBuckets) else LengthBuckets(length)
        largest, fit = buckets.sizes[-1], buckets.fit
    return largest if maxlen is None else min(maxlen, largest), fit


def pad_lists(rows, fit, value: int) -> np.ndarray:
    """Pad lists of ints at the end; (N, L) int32."""
    counts = np.array([len(row) for row in rows], "int64")
    output = np.full((len(rows), fit(int(counts.max(initial=0)))), value, "int32")
    flat = np.fromiter(chain.from_iterable(rows), "int32", int(counts.sum()))
    output[np.arange(output.shape[1]) < counts[:, None]] = flat
    return output


def flatten(rows) -> Flat:
    """Join lists of ids, one for each text."""
    counts = np.fromiter(map(len, rows), "int64", len(rows))
    return Flat(np.fromiter(chain.from_iterable(rows), "int32", counts.sum()), counts)


def keep(flat: Flat, kept: np.ndarray, side: str) -> Flat:
    """Keep `kept` (N,) tokens of each text, cutting at side "right" or "left"."""
    ids, counts = flat
    if (kept == counts).all():
        return flat
    starts = counts.cumsum() - counts
    place = np.arange(len(ids)) - np.repeat(starts, counts)  # (T,) place in its text
    if side == "right":
        inside = place < np.repeat(kept, counts)
    else:
        inside = place >= np.repeat(counts - kept, counts)
    return Flat(ids[inside], kept)


def truncate(rows: Rows, maxlen: int, side: str) -> Rows:
    """Shorten the texts of every row to `maxlen` tokens in all, the longer first.

    maxlen must leave every text its special tokens.
    """
    around = (rows.start is not None) + (rows.end is not None)
    first = rows.first.counts + around
    if rows.second is None:
        kept = np.minimum(first, maxlen) - around
        return rows._replace(first=keep(rows.first, kept, side))
    second = rows.second.counts + around
    # The second start token goes after truncation, so it does not count.
    room = maxlen + (rows.start is not None and not rows.second_start)
    kept_first = np.minimum(first, np.maximum(room - second, room // 2))
    kept_second = np.minimum(second, np.maximum(room - first, room - room // 2))
    return rows._replace(
        first=keep(rows.first, kept_first - around, side),
        second=keep(rows.second, kept_second - around, side),
    )


def assemble(rows: Rows, fit, pad: int, as_lists: bool):
    """Put special tokens around the texts and pad; see `encode_batch`."""
    starts, ends = int(rows.start is not None), int(rows.end is not None)
    body = rows.first.counts + starts  # (N,) where the first text ends
    boundary = body + ends  # (N,) where segment 1 begins
    totals = boundary
    if rows.second is not None:
        again = boundary + (starts and rows.second_start)
        totals = again + rows.second.counts + ends
    length = fit(int(totals.max(initial=0)))
    shape = (len(totals), length)
    ids, segments = np.full(shape, pad, "int32"), np.zeros(shape, "int32")
    columns, every = np.arange(length), np.arange(len(totals))
    _put(ids, columns, starts, body, rows.first.ids)
    if rows.start is not None and len(ids):  # no rows may mean no columns
        ids[:, 0] = rows.start
    if rows.end is not None:
        ids[every, body] = rows.end
    if rows.second is not None:
        _put(ids, columns, again, again + rows.second.counts, rows.second.ids)
        if rows.start is not None and rows.second_start:
            ids[every, again - 1] = rows.start
        if rows.end is not None:
            ids[every, totals - 1] = rows.end
        segments[_between(columns, boundary, totals)] = 1
    if as_lists:
        sizes = totals.tolist()
        return _cut(ids, sizes), _cut(segments, sizes)
    return ids, segments


def _between(columns, low, high) -> np.ndarray:
    """(N, L) bool: low <= column < high; both are (N,), low may be a number."""
    below = columns < np.asarray(high)[:, None]
    return below & (columns >= np.reshape(low, (-1, 1)))


def _put(ids, columns, low, high, values) -> None:
    ids[_between(columns, low, high)] = values


def _cut(array: np.ndarray, sizes: list[int]) -> list[list[int]]:
    return [row[:size] for row, size in zip(array.tolist(), sizes, strict=True)]
