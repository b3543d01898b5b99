"""Whitening and entropies of distributions against the definition."""

import numpy as np
import pytest

from bert4keras3.utils.distributions import (
    alternating_normalization,
    normalized_entropy,
)
from bert4keras3.utils.whitening import Whitening

# A mean much larger than the spread, and directions that differ by a factor 1000.
MIX = np.random.default_rng(0).normal(size=(6, 6)) * np.logspace(0, -3, 6)
VECTORS = np.random.default_rng(1).normal(size=(500, 6)) @ MIX.T + 100


def test_statistics_do_not_depend_on_the_batches():
    whitening = Whitening()
    for start, end in ((0, 1), (1, 1), (1, 130), (130, 500)):
        assert whitening.update(VECTORS[start:end]) is whitening
    known = np.cov(VECTORS.T, bias=True)
    np.testing.assert_allclose(whitening.mean, VECTORS.mean(0), rtol=1e-13)
    np.testing.assert_allclose(whitening.covariance, known, rtol=1e-9, atol=1e-12)
    assert whitening.count == 500


@pytest.mark.parametrize("n", [None, 6, 3])
def test_whitened_vectors_are_white(n):
    found = Whitening(n).update(VECTORS).transform(VECTORS)
    assert found.dtype == "float32" and found.shape == (500, n or 6)
    covariance = np.cov(found.T.astype("float64"), bias=True)
    np.testing.assert_allclose(covariance, np.eye(n or 6), atol=1e-4)
    np.testing.assert_allclose(found.mean(0), 0, atol=1e-4)
    whole = Whitening().update(VECTORS).transform(VECTORS)
    np.testing.assert_array_equal(found, whole[:, :n])


def test_directions_that_do_not_vary():
    flat = np.concatenate([VECTORS, VECTORS[:, :1] - VECTORS[:, 1:2]], axis=1)
    assert Whitening().update(flat).transform(flat).shape == (500, 6)
    with pytest.raises(ValueError, match="Only 6 of 7 directions vary"):
        Whitening(7).update(flat).transform(flat)
    with pytest.raises(ValueError, match="Only 0 of 6"):
        Whitening().update(VECTORS[:1]).transform(VECTORS)


def test_saved_and_continued(tmp_path):
    whitening = Whitening(4).update(VECTORS[:300])
    whitening.save(tmp_path / "w.npz")
    with pytest.raises(FileExistsError):
        whitening.save(tmp_path / "w.npz")
    again = Whitening.load(tmp_path / "w.npz")
    expected = whitening.transform(VECTORS)
    np.testing.assert_array_equal(again.transform(VECTORS), expected)
    again.update(VECTORS[300:]).save(tmp_path / "w.npz", overwrite=True)
    np.testing.assert_allclose(again.mean, VECTORS.mean(0), rtol=1e-13)
    assert (again.transform(VECTORS) != expected).any()
    np.savez(tmp_path / "other.npz", x=1)
    with pytest.raises(ValueError, match="is no saved Whitening"):
        Whitening.load(tmp_path / "other.npz")


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: Whitening(0), "n_components must be 1"),
        (lambda: Whitening().transform(VECTORS), "Call update first"),
        (lambda: Whitening().save("w.npz"), "Call update first"),
        (lambda: Whitening().update(VECTORS).save("w.txt"), "end in .npz"),
        (lambda: Whitening().update(VECTORS[0]), r"vectors \(N, D\)"),
        (lambda: Whitening().update(VECTORS).update(VECTORS[:, 1:]), r"\(N, 6\)"),
        (lambda: Whitening().update(VECTORS * np.nan), "the model is broken"),
        (lambda: normalized_entropy([[1.0]]), "2 classes or more"),
        (lambda: normalized_entropy([[0.5, 0.5]], topk=3), "topk=3 of 2"),
        (lambda: normalized_entropy([[0.5, -0.5]]), "from 0 on"),
        (lambda: normalized_entropy([[0.0, 0.0]]), "not all 0"),
        (lambda: alternating_normalization(np.ones((2, 3)), [1, 1]), "Received: sha"),
        (lambda: alternating_normalization(np.ones((2, 3)), [0, 1, 1]), "above 0"),
    ],
)
def test_wrong_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_normalized_entropy():
    p = np.array([[1, 0, 0, 0], [0.5, 0.5, 0, 0], [2, 2, 2, 2]])
    np.testing.assert_allclose(normalized_entropy(p), [0, 0.5, 1])
    np.testing.assert_allclose(normalized_entropy(p, 2), [0, 1, 1])


def alternated(p, prior, topk, threshold, alpha, iterations):
    """The method by its definition, one uncertain row after the other."""
    result = p.copy()
    best = np.sort(p)[:, -topk:]
    best /= best.sum(1, keepdims=True)
    doubt = -(best * np.log(best)).sum(1) / np.log(topk) >= threshold
    for i in np.flatnonzero(doubt):
        rows = np.vstack([p[~doubt], p[i]])
        for _ in range(iterations):
            rows = rows**alpha
            rows = rows / rows.sum(axis=0) * prior
            rows = rows / rows.sum(axis=1, keepdims=True)
        result[i] = rows[-1]
    return result, doubt


@pytest.mark.parametrize("alpha, iterations", [(1.0, 1), (2.0, 3)])
def test_alternating_normalization(alpha, iterations):
    p = np.random.default_rng(0).dirichlet(np.full(4, 0.7), 40)
    prior = np.array([0.4, 0.3, 0.2, 0.1])
    known, doubt = alternated(p, prior, 3, 0.8, alpha, iterations)
    found = alternating_normalization(p, 10 * prior, 3, 0.8, alpha, iterations)
    np.testing.assert_allclose(found, known, rtol=1e-9)
    assert 3 < doubt.sum() < 37 and not np.allclose(found[doubt], p[doubt])
