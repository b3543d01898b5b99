"""Token spans as GlobalPointer's labels, and its scores as entities.

B texts · H labels · T tokens · K most spans of one label in one text
"""

from collections.abc import Iterable, Sequence

import numpy as np

from bert4keras3.extraction.labels import Labels
from bert4keras3.extraction.spans import (
    Entity,
    padded_offsets,
    same_count,
    text_order,
)

# Scores are searched this many numbers at a time: what fits a processor's cache is
# found faster, and a batch of many hits does not take much memory.
_CHUNK = 1 << 20


def _rows(spans, labels: Labels, length: int | None) -> np.ndarray:
    """Distinct sorted (text, label id, i, j) of a batch; raises on bad spans."""
    rows = set()
    for row, items in enumerate(spans):
        for label, i, j in items:
            if not 1 <= i <= j or (length is not None and j >= length):
                end = "" if length is None else f" < length = {length}"
                raise ValueError(
                    f"spans[{row}] holds {(label, i, j)!r}, but 1 <= i <= j{end} must "
                    "hold: token 0 is the start token and stands for 'nothing'. "
                    "Encode with start and end token, and pad to the longest text."
                )
            rows.add((row, labels.id(label), i, j))
    return np.array(sorted(rows), "int64").reshape(-1, 4)


def pointer_labels(
    spans: Sequence[Iterable], labels: Labels, multiple: int = 8
) -> np.ndarray:
    """Return the sparse labels (B, H, K, 2) int32 of token spans, filled with (0, 0).

    K is a multiple of `multiple` (at least one), so that few shapes are compiled.
    Equal spans count once. Raises ValueError for unknown labels and for spans that
    have token 0 or end before they start.
    """
    if multiple < 1:
        raise ValueError(f"multiple must be at least 1. Received {multiple}.")
    rows = _rows(spans, labels, None)
    groups = rows[:, 0] * len(labels) + rows[:, 1]
    slots = np.arange(len(rows)) - np.searchsorted(groups, groups)
    most = int(slots.max()) + 1 if len(rows) else 1
    size = -(-most // multiple) * multiple
    result = np.zeros((len(spans), len(labels), size, 2), "int32")
    result[rows[:, 0], rows[:, 1], slots] = rows[:, 2:]
    return result


def dense_pointer_labels(
    spans: Sequence[Iterable], labels: Labels, length: int
) -> np.ndarray:
    """Return the 0/1 labels (B, H, T, T) int32 of token spans, T = length.

    Raises ValueError as `pointer_labels`, and for spans beyond `length`.
    """
    rows = _rows(spans, labels, length)
    result = np.zeros((len(spans), len(labels), length, length), "int32")
    result[tuple(rows.T)] = 1
    return result


def decode_spans(
    scores, offsets: Sequence, labels: Labels, threshold=0.0, nested: bool = True
) -> list[list[Entity]]:
    """Return the entities that score above a threshold, text by text, sorted.

    scores: (B, H, T, T) of GlobalPointer, row i = first token, column j = last.
    offsets: one (n, 2) for every text, n <= T. Token 0 and tokens without characters
        ([CLS], [SEP], padding) neither start nor end an entity.
    threshold: a number, or (H,) numbers. NaN scores are above none.
    nested: False keeps, from the best score down, what overlaps no better entity.
    """
    scores = np.asarray(scores)
    if scores.ndim != 4 or scores.shape[1] != len(labels) or (
        scores.shape[2] != scores.shape[3]
    ):
        raise ValueError(
            f"scores must have the shape (B, {len(labels)}, T, T) for {len(labels)} "
            f"labels. Received {scores.shape}."
        )
    same_count("scores", len(scores), "offsets", len(offsets))
    places = padded_offsets(offsets, scores.shape[2])
    text, label, i, j = _above(scores, np.asarray(threshold), places)
    values = scores[text, label, i, j].tolist()
    starts, ends = places[text, i, 0].tolist(), places[text, j, 1].tolist()
    found = [{} for _ in offsets]
    for row, k, start, end, value in zip(
        text.tolist(), label.tolist(), starts, ends, values, strict=True
    ):
        entity, best = Entity(start, end, labels.names[k]), found[row]
        best[entity] = max(value, best.get(entity, value))
    if not nested:
        found = [_without_overlap(row) for row in found]
    return [sorted(row, key=text_order) for row in found]


def _above(scores, threshold, places) -> tuple[np.ndarray, ...]:
    """Indices (text, label, i, j) of the scores above the threshold."""
    batch, heads, length, _ = scores.shape
    if threshold.ndim:
        threshold = threshold.reshape(-1, 1, 1)
    real = places[..., 1] > places[..., 0]  # (B, T)
    real[:, :1] = False
    step, parts = max(1, _CHUNK // max(1, heads * length * length)), []
    for low in range(0, batch, step):
        flat = np.flatnonzero(scores[low : low + step] > threshold)
        rest, j = np.divmod(flat, length)
        rest, i = np.divmod(rest, length)
        text, label = np.divmod(rest, heads)
        text += low
        kept = (i <= j) & real[text, i] & real[text, j]
        parts.append(np.stack([text, label, i, j])[:, kept])
    return tuple(np.concatenate(parts, 1)) if parts else (np.zeros(0, "int64"),) * 4


def _without_overlap(scored: dict[Entity, float]) -> list[Entity]:
    """The best entities of one text that share no character, best first."""
    used, kept = np.zeros(max((e.end for e in scored), default=0), bool), []
    for entity in sorted(scored, key=lambda e: (-scored[e], text_order(e))):
        if not used[entity.start : entity.end].any():
            used[entity.start : entity.end] = True
            kept.append(entity)
    return kept
