"""Maximal cliques: equal to brute force, quick on dense graphs, limited on bad ones."""

import time

import numpy as np
import pytest

from bert4keras3.extraction.cliques import (
    as_masks,
    find_cliques,
    matrix_masks,
    maximal_cliques,
)


def brute_force(masks):
    """All node sets that equal the set of nodes next to (or equal to) all of them."""
    common = np.array([(1 << len(masks)) - 1])
    for i, mask in enumerate(masks):
        common = np.concatenate([common, common & (mask | 1 << i)])
    sets = np.flatnonzero(common == np.arange(len(common)))
    return sorted(
        tuple(j for j in range(len(masks)) if one >> j & 1)
        for one in sets.tolist()
        if one
    )


def random_graph(rng, count, density):
    upper = np.triu(rng.random((count, count)) < density, 1)
    return upper | upper.T


def complete_but(count, missing):
    matrix = ~np.eye(count, dtype=bool)
    for i, j in missing:
        matrix[i, j] = matrix[j, i] = False
    return matrix


def test_equal_to_brute_force():
    rng = np.random.default_rng(0)
    for _ in range(10_000):
        matrix = random_graph(rng, int(rng.integers(0, 13)), rng.random())
        assert maximal_cliques(matrix) == brute_force(matrix_masks(matrix))


def test_known_graphs():
    assert maximal_cliques([]) == []
    assert maximal_cliques(np.zeros((0, 0), bool)) == []
    assert maximal_cliques([0]) == [(0,)]
    assert maximal_cliques([0, 0, 0]) == [(0,), (1,), (2,)]
    assert maximal_cliques(np.ones((4, 4))) == [(0, 1, 2, 3)]
    path = [0b010, 0b101, 0b010]
    assert maximal_cliques(path) == [(0, 1), (1, 2)]


def test_both_forms_and_loops_agree():
    matrix = random_graph(np.random.default_rng(1), 9, 0.6)
    expected = maximal_cliques(matrix)
    assert maximal_cliques(matrix | np.eye(9, dtype=bool)) == expected
    assert maximal_cliques(matrix.tolist()) == expected
    assert maximal_cliques(as_masks(matrix)) == expected
    looped = [mask | 1 << i for i, mask in enumerate(as_masks(matrix))]
    assert maximal_cliques(looped) == expected


def test_dense_graphs_are_quick():
    rng = np.random.default_rng(2)
    few = [(2 * n, 2 * n + 1) for n in range(8)]
    for matrix in (random_graph(rng, 40, 0.9), complete_but(40, few)):
        start = time.perf_counter()
        cliques = maximal_cliques(matrix)
        assert time.perf_counter() - start < 1
        for clique in cliques[:: max(1, len(cliques) // 50)]:
            inside = matrix[np.ix_(clique, clique)]
            assert inside.sum() == len(clique) * (len(clique) - 1)
            others = np.delete(np.arange(40), clique)
            assert not matrix[np.ix_(others, clique)].all(1).any()
    assert len(cliques) == 2**8


def moon_moser(count):
    group = np.arange(count) // 3
    return group[:, None] != group


def test_limit_stops_and_warns():
    assert len(maximal_cliques(moon_moser(12))) == 3**4
    assert len(maximal_cliques(moon_moser(12), limit=3**4)) == 3**4
    start = time.perf_counter()
    with pytest.warns(UserWarning, match="graph of 60 nodes has more than 500"):
        cliques = maximal_cliques(moon_moser(60), limit=500)
    assert time.perf_counter() - start < 1
    assert len(set(cliques)) == 500
    assert {len(clique) for clique in cliques} == {20}
    assert find_cliques(matrix_masks(moon_moser(6)), 9)[1]
    assert not find_cliques(matrix_masks(moon_moser(6)), 8)[1]


@pytest.mark.parametrize(
    ("adjacency", "limit", "message"),
    [
        (np.zeros((2, 3)), None, "square matrix"),
        (np.zeros(3), None, "square matrix"),
        (np.triu(np.ones((3, 3)), 1), None, "node 0 has node 1 as neighbour"),
        ([0b10, 0b00], None, "undirected"),
        ([0b100, 0b00], None, "bits 0 to 1"),
        ([-1, 0], None, "bits 0 to 1"),
        ([0], 0, "limit must be at least 1"),
    ],
)
def test_bad_input(adjacency, limit, message):
    with pytest.raises(ValueError, match=message):
        maximal_cliques(adjacency, limit)
