"""Maximal cliques of small undirected graphs, with sets of nodes as bits of an int."""

import warnings
from collections.abc import Iterator, Sequence

import numpy as np


def maximal_cliques(adjacency, limit: int | None = None) -> list[tuple[int, ...]]:
    """Return all maximal cliques as sorted tuples of node numbers, in sorted order.

    Bron-Kerbosch with Tomita's pivot (https://doi.org/10.1016/j.tcs.2006.06.015).
    adjacency: (N, N) symmetric matrix of bool, or N ints whose bit j says that nodes i
        and j are neighbours; entries of a node with itself are ignored.
    limit: stop after so many cliques, which are those found first and not the largest,
        and warn. A graph of N nodes may have 3 ** (N / 3) of them (Moon and Moser).
    Raises ValueError if the matrix is not square and symmetric or limit is below 1.
    """
    masks = as_masks(adjacency)
    cliques, complete = find_cliques(masks, limit)
    if not complete:
        warnings.warn(
            f"a graph of {len(masks)} nodes has more than {limit} maximal cliques: "
            f"only the {limit} found first are returned. Raise limit, or pass None.",
            stacklevel=2,
        )
    return cliques


def find_cliques(
    masks: Sequence[int], limit: int | None = None
) -> tuple[list[tuple[int, ...]], bool]:
    """Return the cliques, and whether they are all; `masks` is not checked."""
    if limit is not None and limit < 1:
        raise ValueError(f"limit must be at least 1, or None. Received {limit}.")
    found = []
    for clique in _clique_masks(masks):
        if len(found) == limit:
            return sorted(found), False
        found.append(tuple(_bits(clique)))
    return sorted(found), True


def as_masks(adjacency) -> list[int]:
    """Return N ints without loops for an adjacency in either form; checks it."""
    masks = _masks_of(adjacency)
    count = len(masks)
    for i, mask in enumerate(masks):
        if mask < 0 or mask >> count:
            raise ValueError(
                f"the neighbours of node {i} must be bits 0 to {count - 1} of a "
                f"non-negative int. Received {mask:#x}."
            )
        for j in _bits(mask):
            if not masks[j] >> i & 1:
                raise ValueError(
                    f"an undirected graph is needed: node {i} has node {j} as "
                    "neighbour, but not the other way round. Make it symmetric, "
                    "for example by matrix | matrix.T."
                )
    return [mask & ~(1 << i) for i, mask in enumerate(masks)]


def _masks_of(adjacency) -> list[int]:
    if not isinstance(adjacency, np.ndarray) and all(
        isinstance(mask, int) and not isinstance(mask, bool) for mask in adjacency
    ):
        return list(adjacency)
    matrix = np.asarray(adjacency)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(
            "adjacency must be a square matrix of bool, or one int of bits a node. "
            f"Received an array of shape {matrix.shape}."
        )
    return matrix_masks(matrix)


def matrix_masks(matrix: np.ndarray) -> list[int]:
    """Return the rows of a (N, N) matrix as ints, column j in bit j."""
    rows = np.packbits(matrix.astype(bool), axis=1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in rows]


def _clique_masks(masks: Sequence[int]) -> Iterator[int]:
    """Yield every maximal clique once.

    A stack of (clique, candidates, excluded) stands for the recursion; all children of
    a step are pushed at once, so it holds at most N entries for each of N levels.
    """
    stack = [(0, (1 << len(masks)) - 1, 0)] if masks else []
    while stack:
        clique, candidates, excluded = stack.pop()
        if not candidates:
            if not excluded:
                yield clique
            continue
        branches = candidates & ~_pivot_mask(masks, candidates, excluded)
        for node in _bits(branches):
            near, bit = masks[node], 1 << node
            stack.append((clique | bit, candidates & near, excluded & near))
            candidates ^= bit
            excluded |= bit


def _pivot_mask(masks: Sequence[int], candidates: int, excluded: int) -> int:
    """The neighbours of the node that has the most of them among the candidates."""
    most, best, total = -1, 0, candidates.bit_count()
    # An excluded node next to all candidates ends the branch: nothing is maximal.
    for node in _bits(excluded):
        count = (masks[node] & candidates).bit_count()
        if count == total:
            return masks[node]
        if count > most:
            most, best = count, masks[node]
    for node in _bits(candidates):
        count = (masks[node] & candidates).bit_count()
        if count > most:
            most, best = count, masks[node]
        if count == total - 1:
            break
    return best


def _bits(mask: int) -> Iterator[int]:
    """The numbers of the bits that are set, from the lowest."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low
