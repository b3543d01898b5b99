"""The order of rows: a permutation that is never stored, and uniform."""

import numpy as np
import pytest

from bert4keras3.pretraining.draws import permuted


@pytest.mark.parametrize("size", [1, 2, 3, 5, 64, 1000, 4097])
def test_the_order_is_a_permutation(size):
    for epoch in range(3):
        order = permuted(np.arange(size), size, 7, epoch)
        assert sorted(order.tolist()) == list(range(size))
        parts = [permuted([i], size, 7, epoch)[0] for i in range(min(size, 20))]
        assert order[:20].tolist() == parts
    if size > 5:
        other = permuted(np.arange(size), size, 8, epoch)
        assert (order == other).sum() < 6 and (np.diff(order) == 1).sum() < 6


def test_the_order_is_uniform():
    """Chi-square over places, and over the places of neighbours."""
    size, rounds = 16, 1600
    places = np.zeros((size, size), int)
    apart = np.zeros(size, int)
    for epoch in range(rounds):
        order = permuted(np.arange(size), size, 3, epoch)
        places[np.arange(size), order] += 1
        apart[(order[1] - order[0]) % size] += 1
    expected = rounds / size
    squares = ((places - expected) ** 2 / expected).sum()
    free = (size - 1) ** 2
    assert abs(squares - free) < 5 * np.sqrt(2 * free)
    expected = rounds / (size - 1)
    squares = ((apart[1:] - expected) ** 2 / expected).sum()
    assert apart[0] == 0 and squares < 14 + 5 * np.sqrt(28)
