"""The CRF sums, maximises and shares out over exactly the paths there are."""

import numpy as np
import pytest
from chain_helpers import (
    MODES,
    built,
    chain_scores,
    every_path,
    log_sum,
    logits,
    with_gradients,
)
from keras import ops

from bert4keras3.layers import ConditionalRandomField

LABELS = 3
# Full, padded, gaps, a late start, a single step, nothing at all.
MASK = np.array(
    [
        [1, 1, 1, 1, 1],
        [1, 1, 1, 0, 0],
        [1, 0, 1, 1, 0],
        [1, 1, 0, 0, 1],
        [0, 0, 1, 1, 1],
        [0, 0, 1, 0, 0],
        [0, 0, 0, 0, 0],
    ],
    bool,
)
PATHS = every_path(MASK.shape[1], LABELS)
TRANS = np.random.default_rng(1).normal(0, 2, (LABELS, LABELS)).astype("float32")


def rows(x, trans=TRANS):
    """Per sequence: its mask, and the distinct paths (0 where masked) and scores."""
    for nodes, mask in zip(x, MASK, strict=True):
        paths = PATHS[(PATHS[:, ~mask] == 0).all(1)]
        yield mask, paths, chain_scores(paths, nodes, trans, mask)


@pytest.fixture
def crf():
    return built(ConditionalRandomField(lr_multiplier=7), LABELS, TRANS)


def test_normalizer_and_likelihood_of_every_path(crf):
    x = logits(MASK, LABELS)
    found = ops.convert_to_numpy(crf.log_normalizer(x))
    for i, (mask, paths, scores) in enumerate(rows(x)):
        known = log_sum(scores)
        np.testing.assert_allclose(found[i], known, rtol=1e-5, atol=1e-5)
        # All paths in one batch: labels of masked steps must not matter.
        many = np.repeat(x[i : i + 1], len(PATHS), 0)
        likely = ops.convert_to_numpy(crf.log_likelihood(PATHS, many))
        dense = ops.convert_to_numpy(crf.dense_loss(np.eye(LABELS)[PATHS], many))
        everything = chain_scores(PATHS, x[i], TRANS, mask)
        np.testing.assert_allclose(likely, everything - known, atol=2e-5)
        np.testing.assert_allclose(dense, -likely, atol=2e-5)
        share = np.exp(likely).sum() * len(paths) / len(PATHS)
        np.testing.assert_allclose(share, 1, rtol=1e-5)


@pytest.mark.parametrize("mode", MODES)
def test_marginals_are_the_gradient(crf, mode):
    x = logits(MASK, LABELS)
    found = ops.convert_to_numpy(crf.marginals(x))
    _, (grad, _) = with_gradients(crf, crf.log_normalizer, x, mode)
    np.testing.assert_allclose(found, grad, atol=1e-6)
    for i, (mask, paths, scores) in enumerate(rows(x)):
        share = np.exp(scores - log_sum(scores))
        known = (np.eye(LABELS)[paths] * share[:, None, None]).sum(0)
        np.testing.assert_allclose(found[i], known * mask[:, None], atol=1e-6)


@pytest.mark.parametrize("starts", [None, [1], [0, 2]])
@pytest.mark.parametrize("ends", [None, [2], [0, 1]])
def test_best_path(crf, starts, ends):
    for seed in range(3):
        x = logits(MASK, LABELS, seed=seed)
        found = crf.decode(ops.convert_to_tensor(x), starts, ends)
        found = ops.convert_to_numpy(found)
        assert found.dtype == "int32"
        array = crf.decode(x, starts, ends)
        assert isinstance(array, np.ndarray)
        np.testing.assert_array_equal(array, found)
        for i, (mask, paths, scores) in enumerate(rows(x)):
            assert (found[i][~mask] == -1).all()
            if mask.any():
                known = paths[:, mask]
                allowed = np.ones(len(paths), bool)
                if starts:
                    allowed &= np.isin(known[:, 0], starts)
                if ends:
                    allowed &= np.isin(known[:, -1], ends)
                if allowed.any():
                    best = known[np.where(allowed, scores, -np.inf).argmax()]
                    np.testing.assert_array_equal(found[i][mask], best)


@pytest.mark.parametrize("low", [-np.inf, -1e4])
@pytest.mark.parametrize("mode", MODES)
def test_forbidden_labels_and_transitions(crf, low, mode):
    x, trans = logits(MASK, LABELS), TRANS.copy()
    trans[0, 1] = trans[2, 2] = low
    x[0, 1, 2] = x[1, 0, 0] = low
    built(crf, LABELS, trans)
    y = np.array([row[1][row[2].argmax()] for row in rows(x, trans)])
    value, grads = with_gradients(crf, lambda x: crf.sparse_loss(y, x), x, mode)
    assert all(np.isfinite(one).all() for one in (value, *grads))
    assert grads[1][0, 1] == grads[1][2, 2] == 0
    assert grads[0][0, 1, 2] == grads[0][1, 0, 0] == 0
    for i, (_, _, scores) in enumerate(rows(x, trans)):
        known = log_sum(scores) - scores.max()
        np.testing.assert_allclose(value[i], known, atol=1e-4)
    best = crf.decode(ops.convert_to_tensor(x))
    np.testing.assert_array_equal(ops.convert_to_numpy(best), np.where(MASK, y, -1))


def test_a_forbidden_truth_loses_infinitely_and_trains_nothing(crf):
    x = logits(MASK, LABELS)
    x[0, 1, 2] = -np.inf
    y = np.full(MASK.shape, 2)
    value, grads = with_gradients(crf, lambda x: crf.sparse_loss(y, x), x, MODES[-1])
    assert np.isposinf(value[0]) and np.isfinite(value[1:]).all()
    assert all(np.isfinite(one).all() for one in grads)
    dense = ops.convert_to_numpy(crf.dense_loss(np.eye(LABELS)[y], x))
    assert np.isposinf(dense[0]) and np.isfinite(dense[1:]).all()
