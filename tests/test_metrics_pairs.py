"""Spearman and thresholds against scipy or brute force; with `Evaluation`."""

import numpy as np
import pytest

from bert4keras3.metrics import best_threshold, pair_scores, spearman
from bert4keras3.training import Evaluation


def rank(values):
    """Mean of the places that a value and its equals take, counted one by one."""
    return [
        1 + sum(one < own for one in values) + (values.count(own) - 1) / 2
        for own in values
    ]


@pytest.mark.parametrize("distinct", [2, 5, 1000])
def test_spearman(distinct):
    x, y = np.random.default_rng(distinct).integers(0, distinct, (2, 50))
    y = y + x // 2
    known = np.corrcoef(rank(x.tolist()), rank(y.tolist()))[0, 1]
    assert spearman(x, y) == pytest.approx(known, abs=1e-12)
    assert spearman(-x, np.exp(x / 100)) == pytest.approx(-1)


def test_spearman_is_scipys():
    stats = pytest.importorskip("scipy.stats")
    x, y = np.random.default_rng(0).normal(size=(2, 300)).round(1)
    assert spearman(x, x + y) == pytest.approx(stats.spearmanr(x, x + y)[0], abs=1e-12)


def accuracy(scores, labels, t):
    return np.mean((scores > t) == labels)


def f1(scores, labels, t):
    hits = ((scores > t) & (labels == 1)).sum()
    return 2 * hits / max(((scores > t).sum() + labels.sum()), 1)


@pytest.mark.parametrize("metric", [accuracy, f1])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_thresholds_are_the_best_there_are(metric, dtype):
    for seed in range(60):
        generator = np.random.default_rng(seed)
        labels = generator.integers(0, 2, 12)
        scores = generator.normal(size=12) + generator.choice([-1, 0, 1]) * labels
        scores = scores.round(seed % 3).astype(dtype)  # with equal ones
        found, value = best_threshold(scores, labels, metric.__name__)
        tries = [*scores, scores.min() - 1]
        assert value == pytest.approx(max(metric(scores, labels, t) for t in tries))
        assert metric(scores, labels, found) == pytest.approx(value)
        assert np.isfinite(found)


def test_neighbours_of_a_dtype_are_told_apart():
    low = np.float32(0.3)
    high = np.nextafter(low, np.float32(1))
    for lower in (low, high):  # the mean rounds to the even one, once up, once down
        scores = np.array([np.nextafter(lower, np.float32(1)), lower])
        threshold, value = best_threshold(scores, [1, 0])
        assert value == 1 and (scores > threshold).tolist() == [True, False]
    assert best_threshold([0.2, 0.8], [1, 1])[1] == 1
    assert best_threshold([0.2, 0.8], [0, 0])[1] == 1
    assert best_threshold([0.2, 0.8], [0, 1])[0] == 0.5


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: spearman([1, 2], [1, 2, 3]), "Received: shapes"),
        (lambda: spearman([1, 1], [1, 2]), "first row, all equal"),
        (lambda: spearman([1, 2], [1, np.nan]), "NaN in its second row"),
        (lambda: best_threshold([1.0, 2.0], [0, 2]), "label 0 or 1"),
        (lambda: best_threshold([1.0, np.nan], [0, 1]), "none NaN"),
        (lambda: best_threshold([], []), "label 0 or 1"),
        (lambda: best_threshold([1.0], [1], "recall"), "'accuracy' or 'f1'"),
    ],
)
def test_wrong_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_scores_of_pairs_are_what_evaluation_takes():
    cosines, labels = np.array([0.1, 0.9, 0.4, 0.8]), np.array([0, 1, 1, 0])
    evaluation = Evaluation(lambda model: pair_scores(cosines, labels), "spearman")
    logs = {}
    evaluation.on_epoch_end(0, logs)
    assert logs["val_spearman"] == evaluation.best == spearman(cosines, labels)
    assert evaluation.best_result["accuracy"] == 0.75
    assert evaluation.best_result["f1"] == pytest.approx(0.8)
    assert set(pair_scores(cosines, [0, 1, 2, 5])) == {"spearman"}
