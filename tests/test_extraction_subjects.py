"""CasRel: subjects, then objects of all subjects in one batch, and back."""

import numpy as np
import pytest
from extraction_scores import offsets_of

from bert4keras3.extraction.labels import Labels
from bert4keras3.extraction.relations import Relation
from bert4keras3.extraction.subjects import (
    Subjects,
    decode_objects,
    find_subjects,
    subject_labels,
)

NAMES = Labels(["author", "father"])


def by_loops(probabilities, offsets, start, end):
    result = []
    for row, places in enumerate(offsets):
        last = len(places) - 1
        for i in range(1, last):
            ends = [j for j in range(i, last) if probabilities[row, j, 1] > end]
            if probabilities[row, i, 0] > start and ends:
                result.append((row, i, ends[0]))
    return result


@pytest.mark.parametrize("seed", range(5))
def test_subjects_equal_loops(seed):
    rng = np.random.default_rng(seed)
    probabilities, offsets = rng.random((4, 12, 2)), offsets_of(10, 3, 0, 7)
    found = find_subjects(probabilities, offsets, 0.6, 0.8)
    rows = np.concatenate([found.rows[:, None], found.spans], 1)
    assert [tuple(row) for row in rows.tolist()] == by_loops(
        probabilities, offsets, 0.6, 0.8
    )
    assert len(rows)


def test_two_stages_give_the_relations():
    gold = [
        [
            Relation((0, 2), "author", (3, 4)),
            Relation((0, 2), "author", (5, 8)),
            Relation((3, 4), "father", (0, 2)),
        ],
        [],
        [Relation((1, 2), "father", (1, 2))],
    ]
    offsets = offsets_of(9, 4, 3)
    rng = np.random.default_rng(0)
    starts = subject_labels(gold, offsets, NAMES, rng).subjects
    subjects = find_subjects(starts, offsets)
    assert subjects.rows.tolist() == [0, 0, 2]
    assert subjects.spans.tolist() == [[1, 2], [4, 4], [2, 2]]
    # The object labels of each of the subjects: gold with that subject alone.
    objects = np.zeros((3, 11, 2, 2))
    for n, (row, (i, j)) in enumerate(zip(subjects.rows, subjects.spans, strict=True)):
        own = [r for r in gold[row] if r.subject == (i - 1, j)]
        labels = subject_labels([own], [offsets[row]], NAMES, rng, length=11)
        assert labels.chosen.tolist() == [[i, j]]
        objects[n] = labels.objects[0]
    assert decode_objects(objects, subjects, offsets, NAMES) == gold
    nothing = Subjects(np.zeros(0, int), np.zeros((0, 2), int))
    empty = decode_objects(np.zeros((0, 11, 2, 2)), nothing, offsets, NAMES)
    assert empty == [[], [], []]


def test_the_chosen_subject():
    gold = [[Relation((0, 1), "author", (4, 5)), Relation((2, 3), "father", (4, 5))]]
    rng, seen = np.random.default_rng(0), {}
    for _ in range(50):
        labels = subject_labels(gold, offsets_of(5), NAMES, rng)
        seen[tuple(labels.chosen[0].tolist())] = np.argwhere(labels.objects[0]).tolist()
    assert seen == {
        (1, 1): [[5, 0, 0], [5, 0, 1]],
        (1, 3): [],  # not a subject: nothing to find
        (3, 3): [[5, 1, 0], [5, 1, 1]],
    }
    labels = subject_labels([[]], offsets_of(5), NAMES, rng)
    assert not any(one.any() for one in labels)


def test_bad_input():
    offsets, one = offsets_of(3), Subjects(np.array([0]), np.array([[1, 1]]))
    with pytest.raises(ValueError, match=r"shape \(B, T, 2\)"):
        find_subjects(np.zeros((1, 5, 3)), offsets)
    with pytest.raises(ValueError, match=r"shape \(S, T, 2, 2\)"):
        decode_objects(np.zeros((1, 5, 3, 2)), one, offsets, NAMES)
    with pytest.raises(ValueError, match="2 rows of probabilities and 1 of subjects"):
        decode_objects(np.zeros((2, 5, 2, 2)), one, offsets, NAMES)
    with pytest.raises(ValueError, match="give those of all texts"):
        far = one._replace(rows=np.array([1]))
        decode_objects(np.zeros((1, 5, 2, 2)), far, offsets, NAMES)
    with pytest.raises(ValueError, match="length must be at least 5"):
        subject_labels([[]], offsets, NAMES, np.random.default_rng(0), length=4)
    outside, rng = [[Relation((0, 1), "author", (2, 4))]], np.random.default_rng(0)
    with pytest.raises(ValueError, match="lie in the text, which has 3 characters"):
        subject_labels(outside, offsets, NAMES, rng, texts=["abc"])
