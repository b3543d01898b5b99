"""Scores of similarities: Spearman's rank correlation, the best threshold; numpy."""

import numpy as np


def spearman(x, y) -> float:
    """Rank correlation of two rows of N numbers, from -1 to 1.

    Equal numbers share the mean of their ranks, as in scipy.stats.spearmanr.
    Raises ValueError for other shapes, NaN, or a row whose numbers are all equal:
    there is no correlation then.
    """
    x, y = (np.asarray(one, "float64") for one in (x, y))
    if x.ndim != 1 or x.shape != y.shape:
        raise ValueError(
            "spearman needs two rows of the same number of values. "
            f"Received: shapes {x.shape} and {y.shape}"
        )
    for name, one in (("first", x), ("second", y)):
        if np.isnan(one).any():
            raise ValueError(f"spearman received NaN in its {name} row.")
        if one.size < 2 or (one == one[0]).all():
            raise ValueError(
                "spearman needs two different values or more in each row. Received: "
                f"{one.size} values in the {name} row, all equal"
            )
    return float(np.corrcoef(_ranks(x), _ranks(y))[0, 1])


def _ranks(values):
    _, where, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[where]


def best_threshold(scores, labels, metric="accuracy") -> tuple[float, float]:
    """The threshold at which `scores > threshold` fits 0/1 labels best, and how well.

    scores: (N,); labels: (N,) of 0 and 1 (or bool); metric: "accuracy" or "f1" (of
    class 1). Exact: every cut between two different scores is tried, in N log N. The
    threshold lies half way between the two; of equally good ones it is the highest.
    It is found on the labels it is scored with: choose it on dev, use it on test.
    Raises ValueError for other labels, NaN, no values and another metric.
    """
    if metric not in ("accuracy", "f1"):
        raise ValueError(f"metric must be 'accuracy' or 'f1'. Received: {metric!r}")
    scores, labels = np.asarray(scores), np.asarray(labels)
    if not np.issubdtype(scores.dtype, np.floating):
        scores = scores.astype("float64")
    good = scores.ndim == 1 and scores.shape == labels.shape and scores.size > 0
    if not good or not np.isin(labels, (0, 1)).all() or np.isnan(scores).any():
        raise ValueError(
            "best_threshold needs a score and a label 0 or 1 for each pair, none NaN. "
            f"Received: scores {scores.shape}, labels {labels.shape} such as "
            f"{np.unique(labels)[:5].tolist()}"
        )
    order = np.argsort(-scores, kind="stable")
    scores, right = scores[order], labels[order].astype("int64")
    # Item k of the following: the k highest scores count as positive.
    hits = np.concatenate([[0], np.cumsum(right)])
    count = np.arange(len(hits))
    if metric == "accuracy":
        values = (2 * hits - count + len(right) - hits[-1]) / len(right)
    else:
        values = 2 * hits / np.maximum(count + hits[-1], 1)
    values[1:-1][scores[1:] == scores[:-1]] = -1.0  # equal scores go together
    best = int(np.argmax(values))
    return _between(scores, best), float(values[best])


def _between(scores, k):
    """A threshold with exactly the first k of the descending scores above it."""
    if k == 0:
        return float(scores[0])
    high = scores[k - 1]
    if k == len(scores):
        return float(np.nextafter(high, high.dtype.type("-inf")))
    middle = scores.dtype.type((float(high) + float(scores[k])) / 2)
    # Between neighbours of a dtype there is nothing, and the mean may round up.
    return float(middle if scores[k] <= middle < high else scores[k])


def pair_scores(similarities, labels) -> dict[str, float]:
    """How well similarities of N pairs of texts agree with their labels.

    similarities: (N,), such as cosines; labels: (N,), graded or 0/1. Returns
    {"spearman"}, and for 0/1 labels also "accuracy" and "f1", each at its best
    threshold, with "threshold" and "f1_threshold": what `training.Evaluation` takes.
    Raises ValueError as `spearman` and `best_threshold` do.
    """
    result = {"spearman": spearman(similarities, labels)}
    if np.isin(labels, (0, 1)).all():
        for metric, name in (("accuracy", "threshold"), ("f1", "f1_threshold")):
            result[name], result[metric] = best_threshold(similarities, labels, metric)
    return result
