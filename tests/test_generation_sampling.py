"""Samplers draw from the exact probabilities, the same on every backend."""

import numpy as np
import pytest
from keras import ops

from bert4keras3.backend.hashing import row_uniform
from bert4keras3.generation import Greedy, Sampling
from bert4keras3.generation.sampling import row_keys

LOGITS = np.array([2.0, -1.0, 0.5, 1.5, -3.0, 0.0, 1.0, 0.25], "float32")
ROWS = 20_000
# Computed once on jax.
UNIFORM = [
    [0.14606672525405884, 0.589143693447113, 0.4847373366355896],
    [0.32841724157333374, 0.1692613959312439, 0.40585488080978394],
]
DRAWN = [76, 3, 69, 53, 77, 20, 13, 1]


def exact(temperature=1.0, topk=None, topp=None, minp=None):
    """The probabilities that bert4keras's filters give, in their order."""
    p = np.exp(LOGITS.astype("float64") / temperature)
    order = np.argsort(-p)
    kept = np.zeros(len(p), bool)
    kept[order[: topk or len(p)]] = True
    p = np.where(kept, p, 0) / p[kept].sum()
    if topp is not None:
        count = np.searchsorted(np.cumsum(p[order]), topp) + 1
        p[order[count:]] = 0
    if minp is not None:
        p[p < minp * p.max()] = 0
    return p / p.sum()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"temperature": 0.5},
        {"temperature": 2.0},
        {"topk": 3},
        {"topp": 0.8},
        {"topk": 5, "topp": 0.6},
        {"minp": 0.2},
        {"temperature": 1.5, "topk": 6, "topp": 0.9, "minp": 0.1},
    ],
)
def test_frequencies_pass_chi_square(options):
    logits = ops.convert_to_tensor(np.tile(LOGITS, (ROWS, 1)))
    keys = ops.convert_to_tensor(row_keys(7, ROWS))
    found = ops.convert_to_numpy(Sampling(**options)(logits, keys, 3))
    expected = exact(**options) * ROWS
    counts = np.bincount(found, minlength=len(LOGITS))
    possible = expected > 0
    assert counts[~possible].sum() == 0
    chi = ((counts - expected)[possible] ** 2 / expected[possible]).sum()
    # The 99.9% quantile of chi-square with 7 degrees of freedom, none has more.
    assert chi < 24.3


def test_steps_and_rows_are_independent():
    keys = ops.convert_to_tensor(row_keys(1, 64))
    draws = np.stack(
        [ops.convert_to_numpy(row_uniform(keys, i, 512)) for i in range(4)]
    )
    assert 0 < draws.min() < draws.max() < 1
    flat = draws.reshape(4, -1)
    assert abs(np.corrcoef(flat) - np.eye(4)).max() < 0.02
    assert abs(np.corrcoef(draws[0]) - np.eye(64)).max() < 0.25
    assert abs(flat.mean() - 0.5) < 0.005


def test_the_same_numbers_on_every_backend():
    keys = ops.convert_to_tensor(row_keys(42, 2))
    found = ops.convert_to_numpy(row_uniform(keys, 5, 3))
    np.testing.assert_array_equal(found, np.array(UNIFORM, "float32"))
    logits = np.sin(np.arange(100, dtype="float32"))[None].repeat(8, 0)
    keys = ops.convert_to_tensor(row_keys(3, 8))
    ids = Sampling(topp=0.9)(ops.convert_to_tensor(logits), keys, 2)
    assert ops.convert_to_numpy(ids).tolist() == DRAWN


def test_greedy_and_keys():
    logits = ops.convert_to_tensor(LOGITS[None])
    assert int(Greedy()(logits, None, 0)[0]) == 0
    assert row_keys([3, 4], 2)[0] == row_keys([3], 1)[0]
    assert len(set(row_keys(0, 1000).tolist())) == 1000
