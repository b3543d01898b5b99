"""Which texts share a row."""

from itertools import combinations

import numpy as np

from bert4keras3.utils.rows import best_row


def test_the_best_row():
    assert best_row([5, 7, 4, 3], 8, 4) == [0, 3]
    assert best_row([5, 1, 1, 1, 3], 8, 4) == [0, 1, 2, 3]
    assert best_row([5, 1, 1, 1, 3], 8, 2) == [0, 4]
    assert best_row([9, 1], 9, 3) == [0] and best_row([2], 9, 3) == [0]
    rng = np.random.default_rng(0)
    for _ in range(30):
        sizes = rng.integers(1, 9, 7).tolist()
        row = best_row(sizes, 13, 3)
        every = [[0, *x] for n in range(3) for x in combinations(range(1, 7), n)]
        best = max(s for s in (sum(sizes[i] for i in x) for x in every) if s <= 13)
        assert sum(sizes[i] for i in row) == best and row in every
