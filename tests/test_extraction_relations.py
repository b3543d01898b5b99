"""GPLinker's relations: labels, scores and back, against loops over all pairs."""

import itertools

import numpy as np
import pytest
from extraction_scores import offsets_of, scores_of

from bert4keras3.extraction.labels import Dropped, Labels
from bert4keras3.extraction.pairs import find_relations, join_relations
from bert4keras3.extraction.relations import (
    Relation,
    decode_relations,
    relation_labels,
    to_relations,
)

NAMES = Labels(["father", "author", "born in"])


def random_relations(rng, length, count):
    """Relations of which no two join the same spans' ends in other ways."""
    cuts = sorted(rng.choice(length, 2 * count, replace=False).tolist())
    spans = [(a, b + 1) for a, b in zip(cuts[::2], cuts[1::2], strict=True)]
    pairs = itertools.permutations(spans, 2)
    found = {Relation(a, NAMES[int(rng.integers(3))], b) for a, b in pairs}
    return sorted(found)[: int(rng.integers(0, 4))]


def by_loops(entity, head, tail, offsets, threshold):
    """One text at a time, all pairs of positive spans."""
    result = []
    for e, h, t, places in zip(entity, head, tail, offsets, strict=True):
        n = len(places) - 2
        spans = [(i, j) for i in range(1, n + 1) for j in range(i, n + 1)]
        subjects = [s for s in spans if e[0][s] > threshold]
        objects = [s for s in spans if e[1][s] > threshold]
        found = set()
        for (i, j), (k, m), p in itertools.product(subjects, objects, range(len(h))):
            if h[p, i, k] > threshold and t[p, j, m] > threshold:
                a, b = int(places[i, 0]), int(places[j, 1])
                c, d = int(places[k, 0]), int(places[m, 1])
                found.add(Relation((a, b), NAMES[p], (c, d)))
        result.append(sorted(found))
    return result


def random_scores(rng, density, lengths, size):
    """About `density` of the entities are positive and most links are; padding too."""
    shapes = [(len(lengths), h, size, size) for h in (2, 3, 3)]
    scores = [rng.normal(size=shape).astype("float32") for shape in shapes]
    scores[0] -= np.quantile(scores[0], 1 - density)
    return [scores[0], scores[1] + 1, scores[2] + 1]


@pytest.mark.parametrize("seed", range(20))
def test_round_trip(seed):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(8, 20, 5).tolist()
    gold = [random_relations(rng, n, 3) for n in lengths]
    offsets = offsets_of(*lengths)
    labels = relation_labels(gold, offsets, NAMES)
    assert [one.shape[1] for one in labels] == [2, 3, 3]
    assert all(one.dtype == "int32" and one.shape[2] == 8 for one in labels)
    scores = [scores_of(one, max(lengths) + 2) for one in labels]
    assert decode_relations(*scores, offsets, NAMES) == gold


@pytest.mark.parametrize("density", [0.1, 0.2, 0.4])
@pytest.mark.parametrize("threshold", [0.0, 0.2])
def test_equal_to_loops(density, threshold):
    lengths = [7, 4, 1, 0, 9]
    rng = np.random.default_rng(0)
    scores = random_scores(rng, density, lengths, 14)
    scores[0][:, :, 2, 2] = np.nan
    offsets = offsets_of(*lengths)
    found = decode_relations(*scores, offsets, NAMES, threshold, max_spans=None)
    assert found == by_loops(*scores, offsets, threshold)
    assert sum(map(len, found)) > 0


def test_other_ways_to_decode_agree():
    lengths = [7, 4, 9, 6]
    offsets = offsets_of(*lengths)
    scores = random_scores(np.random.default_rng(1), 0.1, lengths, 12)
    expected = decode_relations(*scores, offsets, NAMES)
    parts = []
    for low in (0, 2):
        part = find_relations(*(one[low : low + 2] for one in scores))
        part[:, 0] += low
        parts.append(part)
    assert to_relations(np.concatenate(parts), offsets, NAMES) == expected
    rng = np.random.default_rng(2)
    filling = np.full((3, 4), -1)
    positions = [np.concatenate([np.argwhere(one > 0), filling]) for one in scores]
    positions = [rng.permutation(one).astype("int32") for one in positions]
    assert to_relations(join_relations(*positions), offsets, NAMES) == expected
    nothing = join_relations(*[filling] * 3)
    assert to_relations(nothing, offsets, NAMES) == [[]] * 4


def test_tokens_that_share_a_character_give_one_relation():
    offsets = [np.array([(0, 0), (0, 1), (0, 1), (1, 2), (0, 0)])]
    gold = [[Relation((0, 1), "author", (1, 2))]]
    labels = relation_labels(gold, offsets, NAMES)
    assert labels.entity[0, :, 0].tolist() == [[1, 2], [3, 3]]
    scores = [scores_of(one, 5) for one in labels]
    scores[0][0, 0, 1, 1] = scores[2][0, 1, 1, 3] = 1
    assert decode_relations(*scores, offsets, NAMES) == gold


def test_what_truncation_cuts_is_counted():
    gold = [[Relation((0, 2), "author", (3, 9)), Relation((0, 2), "father", (2, 3))]]
    dropped = Dropped()
    labels = relation_labels(gold, offsets_of(5), NAMES, 1, dropped=dropped)
    assert dropped.truncated == 1
    assert labels.head.tolist() == [[[[1, 3]], [[0, 0]], [[0, 0]]]]
    with pytest.warns(UserWarning, match="1 of 3 spans were left out"):
        relation_labels(gold, offsets_of(5), NAMES)


def test_bad_input():
    offsets, scores = offsets_of(5), [np.zeros((1, h, 7, 7)) for h in (2, 3, 3)]
    with pytest.raises(ValueError, match="unknown label 'mother'"):
        relation_labels([[Relation((0, 1), "mother", (1, 2))]], offsets, NAMES)
    with pytest.raises(ValueError, match="0 <= start < end"):
        relation_labels([[Relation((3, 1), "father", (1, 2))]], offsets, NAMES)
    with pytest.raises(ValueError, match=r"tail must have the shape \(1, 3, 7, 7\)"):
        decode_relations(*scores[:2], np.zeros((1, 3, 8, 8)), offsets, NAMES)
    with pytest.raises(ValueError, match="1 rows of entity and 2 of offsets"):
        decode_relations(*scores, offsets_of(5, 5), NAMES)
    with pytest.raises(ValueError, match=r"offsets\[0\] has 8 tokens"):
        decode_relations(*scores, offsets_of(6), NAMES)
    with pytest.raises(ValueError, match="integers of shape"):
        join_relations(*scores)
    with pytest.raises(ValueError, match="texts up to 3"):
        to_relations(np.array([[3, 1, 1, 0, 1, 1]]), offsets, NAMES)
    with pytest.raises(ValueError, match="token 0"):
        gold = [[Relation((0, 1), "father", (1, 2))]]
        relation_labels(gold, [np.array([(0, 1), (1, 2)])], NAMES)


def test_an_untrained_model_ends_and_warns():
    scores = random_scores(np.random.default_rng(3), 0.5, [30], 32)
    with pytest.warns(UserWarning, match="the 5 with the highest scores"):
        found = find_relations(*scores, max_spans=5)
    subjects = {tuple(row[1:3]) for row in found.tolist()}
    i, j = np.triu_indices(31)
    best = np.sort(scores[0][0, 0, 1:, 1:][i, j])[-5:]
    assert {scores[0][0, 0, a, b] for a, b in subjects} <= set(best)
