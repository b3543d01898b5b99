"""How sure a distribution is, and predictions corrected by a known prior (CAN)."""

import numpy as np


def normalized_entropy(probabilities, topk: int | None = None) -> np.ndarray:
    """Entropy of distributions divided by the largest possible: 0 sure, 1 no idea.

    probabilities: (..., C), each row divided by its sum; topk: only the k largest of
    each row, with sum one again, count: the long tail says little about the doubt
    between the first few. Returns float64 (...).
    Raises ValueError for negative numbers or NaN, rows of zeros, less than two classes.
    """
    p = _distributions(probabilities)
    k = p.shape[-1] if topk is None else topk
    if not 2 <= k <= p.shape[-1]:
        raise ValueError(
            "normalized_entropy needs 2 classes or more, and topk from 2 to their "
            f"number. Received: topk={topk!r} of {p.shape[-1]} classes"
        )
    p = np.partition(p, -k, axis=-1)[..., -k:]
    p = p / p.sum(axis=-1, keepdims=True)
    return -(p * np.log(np.where(p > 0, p, 1.0))).sum(axis=-1) / np.log(k)


def alternating_normalization(
    probabilities, prior, topk=None, threshold=0.9, alpha=1.0, iterations=1
) -> np.ndarray:
    """Correct uncertain predictions by the known shares of the classes (CAN).

    A prediction whose `normalized_entropy` of the topk largest reaches `threshold` is
    put below all certain ones, by itself: columns are scaled to the prior, rows back
    to sum one, `iterations` times; its row is the new prediction. Needs no training.
    probabilities: (N, C); prior: (C,), such as the shares of the labels in the training
    data; alpha: power that sharpens (> 1) all before each step; topk: no more than C,
    None for 3, or 2 for two classes. Returns float64 (N, C), certain rows as they were
    (with sum one). Cost: U * N * C * iterations for U uncertain rows, U * C for one
    iteration.
    Raises ValueError for other shapes, negative numbers, a prior of 0, no iteration.
    https://kexue.fm/archives/8728, https://arxiv.org/abs/2109.13449
    """
    p, prior = _distributions(probabilities), _distributions(prior)
    shapes = p.ndim == 2 and prior.shape == p.shape[1:]
    if not shapes or not prior.all() or iterations < 1:
        raise ValueError(
            "alternating_normalization needs probabilities (N, C), a prior (C,) above "
            f"0 and iterations of 1 or more. Received: shapes {p.shape} and "
            f"{prior.shape}, prior from {prior.min()}, iterations={iterations!r}"
        )
    doubtful = normalized_entropy(p, topk or min(3, len(prior))) >= threshold
    result, powers = p.copy(), p[~doubtful] ** alpha
    sums = powers.sum(axis=0)
    for i in np.flatnonzero(doubtful):
        result[i] = _alternated(powers, sums, p[i], prior, alpha, iterations)
    return result


def _alternated(powers, sums, row, prior, alpha, iterations):
    row, factors = _balanced(row**alpha, sums, prior)
    for _ in range(iterations - 1):
        powers = powers * factors
        powers = (powers / powers.sum(axis=-1, keepdims=True)) ** alpha
        row, factors = _balanced(row**alpha, powers.sum(axis=0), prior)
    return row


def _balanced(own, sums, prior):
    """A row scaled by what brings all columns to the prior, and these factors."""
    total = sums + own
    # A class nobody predicts stays at zero.
    factors = np.divide(prior, total, out=np.zeros_like(total), where=total > 0)
    row = own * factors
    return row / row.sum(), factors


def _distributions(values):
    """float64 rows of sum one; ValueError if they cannot be."""
    p = np.asarray(values, "float64")
    good = p.ndim and (p >= 0).all() and np.isfinite(p).all()
    if not good or (p.sum(axis=-1) <= 0).any():
        raise ValueError(
            "Probabilities must be finite numbers from 0 on, and not all 0 in a row. "
            f"Received: shape {p.shape}, from {p.min(initial=0)} to {p.max(initial=0)}"
        )
    return p / p.sum(axis=-1, keepdims=True)
