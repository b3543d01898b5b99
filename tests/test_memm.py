"""The MEMM against its definition, step by step and over all paths."""

import numpy as np
import pytest
from chain_helpers import MODES, built, every_path, log_sum, logits, with_gradients
from keras import ops

from bert4keras3.layers import MaximumEntropyMarkovModel

LABELS = 3
MASK = np.array(
    [
        [1, 1, 1, 1, 1],
        [1, 1, 1, 0, 0],
        [1, 1, 0, 1, 1],
        [0, 0, 1, 1, 0],
        [1, 0, 0, 0, 0],
        [0, 0, 0, 0, 0],
    ],
    bool,
)
PATHS = every_path(MASK.shape[1], LABELS)
TRANS = np.random.default_rng(1).normal(0, 3, (LABELS, LABELS)).astype("float32")


def one_way(path, nodes, trans, mask):
    """Sum of log p(label | label before) of a path, as the methods define it."""
    total = 0.0
    for t in np.flatnonzero(mask):
        local = nodes[t].astype("float64")
        if t and mask[t - 1]:
            local = (local + trans[path[t - 1]]) / 2
        total += local[path[t]] - log_sum(local)
    return total


def log_prob(path, nodes, trans, mask):
    back = one_way(path[::-1], nodes[::-1], trans.T, mask[::-1])
    return (one_way(path, nodes, trans, mask) + back) / 2


@pytest.fixture
def memm():
    return built(MaximumEntropyMarkovModel(lr_multiplier=4), LABELS, TRANS)


def everything(x, trans=TRANS):
    """log_prob of every path of every row, (rows, paths)."""
    return np.array(
        [
            [log_prob(path, nodes, trans, mask) for path in PATHS]
            for nodes, mask in zip(x, MASK, strict=True)
        ]
    )


def test_log_prob_of_every_path(memm):
    x = logits(MASK, LABELS)
    for nodes, known in zip(x, everything(x), strict=True):
        many = np.repeat(nodes[None], len(PATHS), 0)
        found = ops.convert_to_numpy(memm.log_prob(PATHS, many))
        np.testing.assert_allclose(found, known, atol=2e-5)


def test_loss_is_the_mean_over_steps(memm):
    x = logits(MASK, LABELS)
    y = PATHS[np.arange(0, len(PATHS), 45)][: len(x)]
    known = -sum(
        log_prob(path, nodes, TRANS, mask)
        for path, nodes, mask in zip(y, x, MASK, strict=True)
    )
    known = known / MASK.sum()
    np.testing.assert_allclose(
        ops.convert_to_numpy(memm.sparse_loss(y, x)), known, rtol=1e-5
    )
    dense = ops.convert_to_numpy(memm.dense_loss(np.eye(LABELS)[y], x))
    np.testing.assert_allclose(dense, known, rtol=1e-5)


@pytest.mark.parametrize("starts, ends", [(None, None), ([1], None), ([0, 2], [1])])
def test_best_path(memm, starts, ends):
    for seed in range(3):
        x = logits(MASK, LABELS, seed=seed)
        found = memm.decode(ops.convert_to_tensor(x), starts, ends)
        found = ops.convert_to_numpy(found)
        np.testing.assert_array_equal(memm.decode(x, starts, ends), found)
        scores = everything(x)
        for mask, path, known in zip(MASK, found, scores, strict=True):
            assert (path[~mask] == -1).all()
            if not mask.any():
                continue
            real = PATHS[:, mask]
            allowed = np.isin(real[:, 0], starts or range(LABELS))
            allowed &= np.isin(real[:, -1], ends or range(LABELS))
            if allowed.any():
                best = real[np.where(allowed, known, -np.inf).argmax()]
                np.testing.assert_array_equal(path[mask], best)


def test_hidden_dim_is_a_factorisation():
    layer = built(MaximumEntropyMarkovModel(lr_multiplier=3, hidden_dim=2), LABELS)
    left, right = (3 * ops.convert_to_numpy(weight) for weight in layer.weights)
    assert left.shape == right.shape == (LABELS, 2)
    trans = ops.convert_to_numpy(layer.trans)
    np.testing.assert_allclose(trans, left @ right.T, atol=1e-6)
    x = logits(MASK, LABELS)
    known = [PATHS[row.argmax()] for row in everything(x, trans)]
    found = layer.decode(x)
    np.testing.assert_array_equal(found, np.where(MASK, known, -1))


@pytest.mark.parametrize("low", [-np.inf, -1e4])
@pytest.mark.parametrize("mode", MODES)
def test_forbidden_labels(memm, low, mode):
    x, trans = logits(MASK, LABELS), TRANS.copy()
    trans[1, 2] = low
    x[0, 2, 1] = low
    built(memm, LABELS, trans)
    y = np.zeros(MASK.shape, int)
    value, grads = with_gradients(memm, lambda x: memm.sparse_loss(y, x), x, mode)
    assert np.isfinite(value) and all(np.isfinite(one).all() for one in grads)
    assert grads[0][0, 2, 1] == grads[1][1, 2] == 0
    finite = np.maximum(x, -1e4), np.maximum(trans, -1e4)
    rows = zip(y, finite[0], MASK, strict=True)
    known = [log_prob(path, nodes, finite[1], mask) for path, nodes, mask in rows]
    np.testing.assert_allclose(value, -np.sum(known) / MASK.sum(), rtol=1e-5)
    path = memm.decode(x)
    assert path[0, 2] != 1
    assert not ((path[:, :-1] == 1) & (path[:, 1:] == 2)).any()


def test_nothing_real_loses_nothing(memm):
    x = np.full((2, 4, LABELS), -np.inf, "float32")
    y = np.zeros((2, 4), int)
    value, grads = with_gradients(memm, lambda x: memm.sparse_loss(y, x), x, MODES[-1])
    assert value == 0 and all((one == 0).all() for one in grads)
    assert (memm.decode(x) == -1).all()
    assert float(memm.sparse_accuracy(y, x)) == 0
    with pytest.raises(ValueError, match="hidden_dim"):
        MaximumEntropyMarkovModel(hidden_dim=0)
