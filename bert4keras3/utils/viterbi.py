"""Viterbi decoding of label sequences with a transition matrix."""

import numpy as np


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
        if allowed is None:
            return []
        unknown = [c for c in allowed if not 0 <= c < self.num_labels]
        if unknown:
            raise ValueError(
                f"{name} must hold labels from 0 to {self.num_labels - 1}. "
                f"Received {unknown}."
            )
        return [c for c in range(self.num_labels) if c not in set(allowed)]

    def decode(self, nodes) -> np.ndarray:
        """Return the best labels (n,) for node scores (n, C); `nodes` stays as is."""
        scores = np.array(nodes)
        if scores.ndim != 2 or scores.shape[1] != self.num_labels:
            raise ValueError(
                f"nodes must have shape (n, {self.num_labels}). Received "
                f"{scores.shape}; decode one sequence at a time."
            )
        if not len(scores):
            return np.zeros(0, "int64")
        if not np.issubdtype(scores.dtype, np.floating):
            scores = scores.astype("float64")  # integers have no -inf
        scores[0, self.non_starts] = -np.inf
        scores[-1, self.non_ends] = -np.inf
        trans, best = np.asarray(self.trans), scores[0]
        back = np.zeros(scores.shape, "int64")
        for t in range(1, len(scores)):
            paths = best[:, None] + trans  # (C from, C to)
            back[t] = paths.argmax(0)
            best = paths.max(0) + scores[t]
        labels = np.zeros(len(scores), "int64")
        labels[-1] = best.argmax()
        for t in range(len(scores) - 1, 0, -1):
            labels[t - 1] = back[t, labels[t]]
        return labels
