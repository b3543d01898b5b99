"""GPLinker's relations in tokens: pairs of spans that two link matrices join.

B texts · P predicates · T tokens · N relations, spans or pairs
"""

import warnings
from collections.abc import Callable, Sequence

import numpy as np

from bert4keras3.extraction.positions import (
    FlatOffsets,
    best_of_groups,
    check_scores,
    positives,
)
from bert4keras3.extraction.spans import same_count

SUBJECT, OBJECT = 0, 1
# So many (subject, object) pairs are looked up at a time, for the sake of memory.
_PAIRS = 1 << 15


def find_relations(
    entity,
    head,
    tail,
    threshold: float = 0.0,
    offsets: Sequence | None = None,
    max_spans: int | None = 128,
) -> np.ndarray:
    """Return the relations of a batch in tokens, (N, 6) int64, unsorted.

    The columns: text, first and last token of the subject, predicate, first and last
    token of the object. Give those of many batches, joined, to `to_relations`.
    entity: (B, 2, T, T) scores, subjects first.  head, tail: (B, P, T, T) scores.
    offsets, max_spans: as in `decode_relations`.
    """
    entity = check_scores("entity", entity, 2)
    head = check_scores("head", head, None, entity)
    tail = check_scores("tail", tail, head.shape[1], entity)
    spans = positives(entity, threshold)
    real = (0 < spans[2]) & (spans[2] <= spans[3])
    if offsets is not None:
        flat = FlatOffsets.of(offsets, entity.shape[2])
        same_count("entity", len(entity), "offsets", len(flat))
        real &= flat.read(spans[0], spans[2], spans[3])[0]
    spans = _limited(spans[:, real], entity, max_spans)
    size, count = entity.shape[2], head.shape[1]
    each, steps = np.arange(count), np.arange(count) * (size * size)
    heads = head.reshape(-1)

    def linked(text, i, j, k, m):
        """(pair, predicate) of the pairs that both matrices join."""
        # Few of all pairs have any predicate, so the tails are read for those only.
        places = ((text * (count * size) + i) * size + k)[:, None] + steps
        pair, p = np.nonzero(heads.take(places) > threshold)
        both = tail[text[pair], each[p], j[pair], m[pair]] > threshold
        return pair[both], p[both]

    return _join(spans, len(entity), linked)


def join_relations(entities, heads, tails) -> np.ndarray:
    """As `find_relations`, from the positions of the positives alone.

    entities, heads, tails: (N, 4) ints, the indices (text, label, i, j) of the scores
        above the threshold, in any order: what `where` of a backend gives inside the
        compiled model, so that three large matrices stay on the device. Rows with a
        negative number, as jax.numpy.where fills up with, are ignored.
    """
    spans, heads, tails = (
        _columns(name, rows)
        for name, rows in (("entities", entities), ("heads", heads), ("tails", tails))
    )
    columns = np.concatenate([spans, heads, tails], 1)
    batch, labels, *size = (columns.max(1, initial=0) + 1).tolist()
    size = max(size)
    spans = spans[:, np.argsort(spans[0] * 2 + spans[1], kind="stable")]
    spans = spans[:, (0 < spans[2]) & (spans[2] <= spans[3])]
    keys = (heads[0] * size + heads[2]) * size + heads[3]
    order = np.argsort(keys, kind="stable")
    keys, predicates = keys[order], heads[1, order]
    known = ((tails[0] * labels + tails[1]) * size + tails[2]) * size + tails[3]
    known = np.append(np.sort(known), -1)  # a last one, for keys beyond all others

    def linked(text, i, j, k, m):
        """(pair, predicate) of the pairs that both sets of positions join."""
        wanted = (text * size + i) * size + k
        low = np.searchsorted(keys, wanted)
        pair, slot = _ranges(low, np.searchsorted(keys, wanted, "right") - low)
        p = predicates[slot]
        wanted = ((text[pair] * labels + p) * size + j[pair]) * size + m[pair]
        both = known[np.searchsorted(known[:-1], wanted)] == wanted
        return pair[both], p[both]

    return _join(spans, batch, linked)


def _columns(name: str, rows) -> np.ndarray:
    """Positions (4, N) without the rows that are filling."""
    rows = np.asarray(rows)
    if rows.ndim != 2 or rows.shape[1] != 4 or rows.dtype.kind not in "iu":
        raise ValueError(
            f"{name} must be integers of shape (N, 4): text, label, i, j. Received "
            f"{rows.dtype} of shape {rows.shape}."
        )
    columns = np.ascontiguousarray(rows.T, "int64")
    good = columns.min(0) >= 0
    return columns if good.all() else columns[:, good]


def _limited(spans, scores, most: int | None) -> np.ndarray:
    """At most so many spans of a text and label; warns about the others."""
    groups, values = spans[0] * 2 + spans[1], scores[tuple(spans)]
    kept, lost = best_of_groups(groups, values, most)
    if lost:
        warnings.warn(
            f"{lost} of {spans.shape[1]} spans were not used: of the subjects, and of "
            f"the objects, of a text the {most} with the highest scores are. An "
            "untrained model finds too many; else raise max_spans.",
            stacklevel=4,
        )
    return spans[:, kept] if lost else spans


def _join(spans, batch: int, linked: Callable) -> np.ndarray:
    """Relations (N, 6) of all pairs of a subject and an object of the same text.

    spans: (4, E) by text.  linked: function of N pairs, given as text, i, j, k, m,
    that returns (pair, predicate) of the relations that hold.
    """
    subjects, objects = spans[:, spans[1] == SUBJECT], spans[:, spans[1] == OBJECT]
    counts = np.bincount(objects[0], minlength=batch)
    firsts = (np.cumsum(counts) - counts)[subjects[0]]
    counts = counts[subjects[0]]
    total, low, parts = np.cumsum(counts), 0, [np.zeros((6, 0), "int64")]
    while low < len(total):
        done = total[low - 1] if low else 0
        high = max(low + 1, int(np.searchsorted(total, done + _PAIRS, "right")))
        left, right = _ranges(firsts[low:high], counts[low:high])
        (text, _, i, j), (k, m) = subjects[:, low + left], objects[2:, right]
        pair, p = linked(text, i, j, k, m)
        parts.append(np.stack([text[pair], i[pair], j[pair], p, k[pair], m[pair]]))
        low = high
    return np.concatenate(parts, 1).T


def _ranges(firsts, counts) -> tuple[np.ndarray, np.ndarray]:
    """All numbers of N ranges, and which range each of them comes from."""
    which = np.repeat(np.arange(len(counts)), counts)
    places = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
    return which, places + firsts[which]
