"""Token spans as GlobalPointer's labels, and its scores as entities.

B texts · H labels · T tokens · K most spans of one label in one text
"""

from collections.abc import Iterable, Sequence

import numpy as np

from bert4keras3.extraction.labels import Labels
from bert4keras3.extraction.positions import (
    FlatOffsets,
    check_scores,
    pack_positions,
    positives,
)
from bert4keras3.extraction.spans import Entity, same_count, text_order


def _rows(spans, labels: Labels, length: int | None) -> list[tuple]:
    """(text, label id, i, j) of a batch; raises on bad spans."""
    rows = []
    for row, items in enumerate(spans):
        for label, i, j in items:
            if not 1 <= i <= j or (length is not None and j >= length):
                end = "" if length is None else f" < length = {length}"
                raise ValueError(
                    f"spans[{row}] holds {(label, i, j)!r}, but 1 <= i <= j{end} must "
                    "hold: token 0 is the start token and stands for 'nothing'. "
                    "Encode with start and end token, and pad to the longest text."
                )
            rows.append((row, labels.id(label, f"spans[{row}]"), i, j))
    return rows


def pointer_labels(
    spans: Sequence[Iterable], labels: Labels, multiple: int = 8
) -> np.ndarray:
    """Return the sparse labels (B, H, K, 2) int32 of token spans, filled with (0, 0).

    K is a multiple of `multiple` (at least one), so that few shapes are compiled.
    Equal spans count once. Raises ValueError for unknown labels and for spans that
    have token 0 or end before they start.
    """
    rows = _rows(spans, labels, None)
    return pack_positions(rows, len(spans), len(labels), multiple)


def dense_pointer_labels(
    spans: Sequence[Iterable], labels: Labels, length: int
) -> np.ndarray:
    """Return the 0/1 labels (B, H, T, T) int32 of token spans, T = length.

    Raises ValueError as `pointer_labels`, and for spans beyond `length`.
    """
    rows = np.array(_rows(spans, labels, length), "int64").reshape(-1, 4)
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
    scores = check_scores("scores", scores, len(labels))
    same_count("scores", len(scores), "offsets", len(offsets))
    flat = FlatOffsets.of(offsets, scores.shape[2])
    found = positives(scores, threshold)
    real, starts, ends = flat.read(found[0], found[2], found[3])
    real &= found[2] > 0
    values = scores[tuple(found[:, real])].tolist()
    columns = (*found[:2, real], starts[real], ends[real])
    entities = [{} for _ in range(len(flat))]
    for row, k, start, end, value in zip(
        *(column.tolist() for column in columns), values, strict=True
    ):
        entity, best = Entity(start, end, labels.names[k]), entities[row]
        best[entity] = max(value, best.get(entity, value))
    if not nested:
        entities = [_without_overlap(row) for row in entities]
    return [sorted(row, key=text_order) for row in entities]


def _without_overlap(scored: dict[Entity, float]) -> list[Entity]:
    """The best entities of one text that share no character, best first."""
    used, kept = np.zeros(max((e.end for e in scored), default=0), bool), []
    for entity in sorted(scored, key=lambda e: (-scored[e], text_order(e))):
        if not used[entity.start : entity.end].any():
            used[entity.start : entity.end] = True
            kept.append(entity)
    return kept
