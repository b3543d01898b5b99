"""Scores and offsets for the tests of relations and events."""

import numpy as np


def offsets_of(*lengths):
    """Offsets of texts whose tokens are [CLS], one for each character, and [SEP]."""
    rows = [[(0, 0), *((i, i + 1) for i in range(n)), (0, 0)] for n in lengths]
    return [np.array(row, "int32") for row in rows]


def scores_of(labels, length, background=-3.0):
    """Scores (B, H, T, T) that are positive where the sparse labels are."""
    scores = np.full((*labels.shape[:2], length, length), background, "float32")
    text, head, slot = np.nonzero(labels.any(-1))
    i, j = labels[text, head, slot].T
    scores[text, head, i, j] = 2
    return scores
