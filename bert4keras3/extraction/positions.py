"""Positions of span matrices: found in scores, packed as labels, read as characters.

B texts · H labels · T tokens · K most positions of one label in one text ·
N positions of a batch
"""

from collections.abc import Sequence

import numpy as np

from bert4keras3.extraction.labels import Dropped
from bert4keras3.extraction.spans import offset_array, report_dropped, token_spans

# Scores are searched this many numbers at a time, for the sake of memory.
_CHUNK = 1 << 22


class FlatOffsets:
    """Character offsets of a batch of texts, one text after the other.

    offsets: one (n, 2) for every text.
    length: T of the scores, which no text may exceed; None = unknown.
    """

    def __init__(self, offsets: Sequence, length: int | None = None):
        offsets = list(offsets)
        # One more token without characters: where positions of padding lead.
        offsets.append(np.zeros((1, 2), "int64"))
        flat, sizes = _joined(offsets)
        self.sizes = sizes[:-1]
        if length is not None and self.sizes.max(initial=0) > length:
            row = int(self.sizes.argmax())
            raise ValueError(
                f"offsets[{row}] has {sizes[row]} tokens, but the scores only "
                f"{length}. Take the offsets of the truncated tokens."
            )
        self._firsts = np.cumsum(sizes) - sizes
        self._starts, self._ends = flat[:, 0], flat[:, 1]

    @classmethod
    def of(cls, offsets, length: int | None = None) -> "FlatOffsets":
        """Return offsets, which may be FlatOffsets already."""
        return offsets if isinstance(offsets, cls) else cls(offsets, length)

    def __len__(self) -> int:
        return len(self.sizes)

    def read(self, rows, i, j) -> tuple[np.ndarray, ...]:
        """Return (real, start, end) of tokens i to j, each (N,).

        A span is real unless i > j, or one of the two tokens is padding or has no
        characters, as [CLS] and [SEP].
        """
        inside, firsts = (i <= j) & (j < self.sizes[rows]), self._firsts[rows]
        i, j = np.where(inside, firsts + i, -1), np.where(inside, firsts + j, -1)
        starts, ends = self._starts[i], self._ends[j]
        return (starts < self._ends[i]) & (self._starts[j] < ends), starts, ends


def _joined(offsets: list) -> tuple[np.ndarray, np.ndarray]:
    """All offsets in one array (N, 2), and how many each text has."""
    try:
        flat = np.concatenate(offsets)
    except ValueError:
        flat = None
    if flat is None or flat.ndim != 2 or flat.shape[1] != 2:
        # An empty list has no second axis; anything else is told with its row.
        offsets = [offset_array(one, row) for row, one in enumerate(offsets)]
        flat = np.concatenate(offsets)
    return flat, np.fromiter(map(len, offsets), "int64", len(offsets))


def check_scores(name: str, scores, heads: int | None, like=None) -> np.ndarray:
    """Return scores (B, H, T, T) as an array; raises ValueError for another shape.

    heads: H, None = any.  like: scores that must have the same B and T.
    """
    scores = np.asarray(scores)
    wanted = ["B", "H" if heads is None else heads, "T", "T"]
    if like is not None:
        wanted[0], wanted[2], wanted[3] = len(like), *like.shape[2:]
    good = scores.ndim == 4 and scores.shape[2] == scores.shape[3]
    for size, expected in zip(scores.shape, wanted, strict=False):
        good = good and (isinstance(expected, str) or size == expected)
    if not good:
        raise ValueError(
            f"{name} must have the shape ({', '.join(map(str, wanted))}): texts, "
            f"labels, tokens, tokens. Received {scores.shape}."
        )
    return scores


def positives(scores: np.ndarray, threshold) -> np.ndarray:
    """Return the indices (4, N) of the scores (B, H, T, T) above a threshold, sorted.

    threshold: a number, or (H,) numbers. NaN is above none.
    """
    batch, heads, length, _ = scores.shape
    if np.ndim(threshold):
        threshold = np.reshape(threshold, (-1, 1, 1))
    step = max(1, _CHUNK // max(1, heads * length * length))
    parts = [np.zeros((4, 0), "int64")]
    for low in range(0, batch, step):
        # Several times faster than np.nonzero of four axes.
        flat = np.flatnonzero(scores[low : low + step] > threshold)
        text, flat = np.divmod(flat, heads * length * length)
        head, flat = np.divmod(flat, length * length)
        parts.append(np.stack([text + low, head, *np.divmod(flat, length)]))
    return np.concatenate(parts, 1)


def best_of_groups(groups, scores, most: int | None) -> tuple[np.ndarray, int]:
    """Keep at most so many items of a group, the best ones.

    groups: (N,) numbers, ascending.  scores: (N,).
    Returns the kept indices, ascending, and how many were not kept.
    """
    count = len(groups)
    if most is None or not count:
        return np.arange(count), 0
    if most < 1:
        raise ValueError(f"the most spans of a text must be at least 1, not {most}.")
    sizes = np.bincount(groups)
    if sizes.max() <= most:
        return np.arange(count), 0
    order = np.lexsort((-scores, groups))
    rank = np.arange(count) - np.searchsorted(groups, groups)
    kept = np.sort(order[rank < most])
    return kept, count - len(kept)


def pack_positions(rows, batch: int, heads: int, multiple: int = 8) -> np.ndarray:
    """Return sparse labels (B, H, K, 2) int32, filled up with (0, 0).

    rows: (text, head, i, j) of every positive; equal ones count once. K is a multiple
    of `multiple` (at least one), so that few shapes are compiled.
    """
    if multiple < 1:
        raise ValueError(f"multiple must be at least 1. Received {multiple}.")
    rows = np.array(sorted(set(rows)), "int64").reshape(-1, 4)
    groups = rows[:, 0] * heads + rows[:, 1]
    slots = np.arange(len(rows)) - np.searchsorted(groups, groups)
    most = int(slots.max()) + 1 if len(rows) else 1
    if len(rows) and rows[:, 2:].min() < 1:
        raise ValueError(
            f"text {rows[rows[:, 2:].min(1) < 1][0, 0]} has a span at token 0, which "
            "stands for 'nothing'. Encode with a start token."
        )
    result = np.zeros((batch, heads, -(-most // multiple) * multiple, 2), "int32")
    result[rows[:, 0], rows[:, 1], slots] = rows[:, 2:]
    return result


def split_rows(items: list, rows, count: int) -> list[list]:
    """Split items, whose text numbers `rows` ascend, into one list for each text."""
    ends = np.searchsorted(rows, np.arange(count + 1)).tolist()
    return [items[low:high] for low, high in zip(ends, ends[1:], strict=False)]


def tokens_of(
    spans: Sequence,
    offsets: Sequence,
    texts: Sequence[str] | None = None,
    dropped: Dropped | None = None,
) -> list[dict]:
    """Return {(start, end): (first token, last token)} for the spans of every text.

    Spans that fit no tokens are left out; they are counted, or warned of, as
    `token_spans` does.
    """
    distinct = [sorted({tuple(span) for span in row}) for row in spans]
    lost = Dropped()
    # A span is its own label, to be found again.
    items = [[(*span, span) for span in row] for row in distinct]
    tokens = token_spans(items, offsets, texts, lost)
    report_dropped(lost, dropped, sum(map(len, tokens)), stacklevel=4)
    return [{span.label: span[1:] for span in row} for row in tokens]
