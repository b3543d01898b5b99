"""Viterbi decoding of label sequences with a transition matrix."""

import numpy as np

ROWS = 256  # decoded together: more do not fit the processor's cache


def allowed_labels(labels, count, name):
    """Bool (count,): which labels `labels` names; None for None.

    Raises ValueError for none at all and for labels outside 0 to count - 1.
    """
    if labels is None:
        return None
    labels = [int(label) for label in labels]
    if not labels or not all(0 <= label < count for label in labels):
        raise ValueError(
            f"{name} must hold labels from 0 to {count - 1}, at least one, or be None "
            f"for any label. Received {labels}."
        )
    allowed = np.zeros(count, bool)
    allowed[labels] = True
    return allowed


class ViterbiDecoder:
    """Find the best label path under node scores and transition scores.

    trans: (C, C) scores of going from label i to label j; assign it after training.
    starts, ends: labels allowed at the first and last step (None = any).
    """

    def __init__(self, trans, starts=None, ends=None):
        self.trans = trans
        self.num_labels = len(trans)
        self.non_starts = self._others(starts, "starts")
        self.non_ends = self._others(ends, "ends")

    def _others(self, allowed, name: str) -> list[int]:
        """Labels that `allowed` leaves out."""
        allowed = allowed_labels(allowed, self.num_labels, name)
        return [] if allowed is None else np.flatnonzero(~allowed).tolist()

    def decode(self, nodes) -> np.ndarray:
        """Return the best labels (n,) for node scores (n, C); `nodes` stays as is."""
        nodes = np.asarray(nodes)
        if nodes.ndim != 2 or nodes.shape[1] != self.num_labels:
            raise ValueError(
                f"nodes must have shape (n, {self.num_labels}). Received "
                f"{nodes.shape}; decode_batch takes several sequences."
            )
        return self.decode_batch(nodes[None])[0].astype("int64")

    def decode_batch(self, nodes, mask=None, lengths=None) -> np.ndarray:
        """Return the best labels int32 (B, T), -1 at masked steps.

        nodes: (B, T, C); mask: bool (B, T), or lengths: (B,), both None = all real.
        A gap in the mask cuts a sequence into pieces without a transition between.
        """
        nodes = np.asarray(nodes)
        if nodes.ndim != 3 or nodes.shape[2] != self.num_labels:
            raise ValueError(
                f"nodes must have shape (B, T, {self.num_labels}). Received "
                f"{nodes.shape}."
            )
        keep = _keep(nodes.shape[:2], mask, lengths)
        trans = np.asarray(self.trans)
        dtype = np.result_type(nodes, trans, "float32")
        labels = np.full(nodes.shape[:2], -1, "int32")
        for start in range(0, len(nodes), ROWS):
            part = slice(start, start + ROWS)
            scores = np.array(nodes[part].transpose(1, 2, 0), dtype, order="C")
            self._limit(scores, keep[part])
            labels[part] = _best_paths(scores, trans.astype(dtype), keep[part].T).T
        return labels

    def _limit(self, scores, keep):
        """Forbid labels at the first and last real step; scores: (T, C, B)."""
        rows = np.flatnonzero(keep.any(1))
        first = keep[rows].argmax(1) if len(rows) else rows
        last = keep.shape[1] - 1 - keep[rows, ::-1].argmax(1) if len(rows) else rows
        for steps, labels in ((first, self.non_starts), (last, self.non_ends)):
            scores[steps[:, None], np.array(labels, int), rows[:, None]] = -np.inf


def _keep(shape, mask, lengths):
    """Bool (B, T) from what the caller gave."""
    if mask is not None and lengths is not None:
        raise ValueError("decode_batch takes mask or lengths. Received both.")
    if lengths is not None:
        lengths = np.asarray(lengths)
        outside = (lengths < 0) | (lengths > shape[1])
        if lengths.shape != shape[:1] or outside.any():
            raise ValueError(
                f"lengths must hold {shape[0]} numbers from 0 to {shape[1]}. Received "
                f"{lengths.tolist()}."
            )
        return np.arange(shape[1]) < lengths[:, None]
    keep = np.ones(shape, bool) if mask is None else np.asarray(mask).astype(bool)
    if keep.shape != shape:
        raise ValueError(f"mask must have shape {shape}. Received {keep.shape}.")
    return keep


def _best_paths(scores, trans, keep):
    """Labels (T, B) for scores (T, C, B) and keep (T, B).

    The way forward keeps the maxima only; which label gave them is looked up on the
    way back, for one label per sequence instead of all. The batch comes last, so that
    numpy works along contiguous memory.
    """
    linked = keep.copy()
    linked[1:] &= keep[:-1]
    linked[:1] = False
    before, (_, count, rows) = np.empty_like(scores), scores.shape
    state = np.full((count, rows), -np.inf, scores.dtype)
    state[0] = 0.0
    paths = np.empty((count, count, rows), scores.dtype)
    for t, score in enumerate(scores):
        before[t] = state
        np.add(state[:, None], trans[:, :, None], out=paths)
        best = paths.max(axis=0)
        if not linked[t].all():
            best[:, ~linked[t]] = state[:, ~linked[t]].max(axis=0)
        best += score
        top = best.max(axis=0)  # small numbers keep their precision
        best -= np.where(np.isfinite(top), top, 0.0)
        state = best if keep[t].all() else np.where(keep[t], best, state)
    labels = np.full(keep.shape, -1, "int32")
    label = state.argmax(axis=0)
    for t in range(len(scores) - 1, -1, -1):
        labels[t] = np.where(keep[t], label, -1)
        arrival = np.where(linked[t], trans[:, label], 0.0)
        label = np.where(keep[t], (before[t] + arrival).argmax(axis=0), label)
    return labels
