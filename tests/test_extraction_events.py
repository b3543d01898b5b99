"""GPLinker's events: labels, scores and back, against brute force over subsets."""

import itertools

import numpy as np
import pytest
from extraction_scores import offsets_of, scores_of

from bert4keras3.extraction.events import (
    Argument,
    Event,
    decode_events,
    event_labels,
    without_parts,
)
from bert4keras3.extraction.labels import Dropped, Labels
from bert4keras3.extraction.scores import TRIGGER

LABELS = Labels([(t, r) for t in ("layoff", "goal") for r in (TRIGGER, "who", "when")])


def decode(labels, offsets, **options):
    size = max(map(len, offsets))
    scores = [scores_of(one, size) for one in labels]
    return decode_events(*scores, offsets, LABELS, **options)


def brute_force(argument, head, tail, offsets):
    """Per text and type: the largest sets of nodes that are all linked."""
    result = []
    for row, places in enumerate(offsets):
        events = set()
        for kind in ("layoff", "goal"):
            nodes = [
                (role, i, j)
                for label, i, j in np.argwhere(argument[row] > 0).tolist()
                for own, role in [LABELS[label]]
                if own == kind and 0 < i <= j < len(places) - 1
            ]
            linked = {
                (a, b)
                for a, b in itertools.permutations(nodes, 2)
                if head[row, 0, min(a[1], b[1]), max(a[1], b[1])] > 0
                and tail[row, 0, min(a[2], b[2]), max(a[2], b[2])] > 0
            }
            sets = [
                set(chosen)
                for size in range(1, len(nodes) + 1)
                for chosen in itertools.combinations(nodes, size)
                if linked.issuperset(itertools.combinations(chosen, 2))
            ]
            for one in sets:
                if not any(one < other for other in sets):
                    parts = [(r, i - 1, j) for r, i, j in one]
                    events.add(Event.of(kind, parts))
        result.append(sorted(events))
    return result


@pytest.mark.parametrize("seed", range(30))
def test_equal_to_brute_force(seed):
    rng = np.random.default_rng(seed)
    lengths = [4, 6, 1]
    shapes = [(3, h, 8, 8) for h in (6, 1, 1)]
    scores = [rng.normal(size=shape) for shape in shapes]
    scores[0] -= 1.4
    scores[1] += 0.6
    scores[2] += 0.6
    found = decode_events(*scores, offsets_of(*lengths), LABELS)
    assert found == brute_force(*scores, offsets_of(*lengths))


def test_round_trip():
    one = Event.of("layoff", [(TRIGGER, 3, 5), ("who", 0, 2), ("when", 6, 8)])
    two = Event.of("layoff", [(TRIGGER, 3, 5), ("who", 8, 9), ("when", 6, 8)])
    three = Event.of("goal", [(TRIGGER, 1, 2)])
    gold = [[one, two], [], sorted([three, one])]
    offsets = offsets_of(10, 3, 10)
    labels = event_labels(gold, offsets, LABELS)
    assert [array.shape[:3] for array in labels] == [(3, n, 8) for n in (6, 1, 1)]
    assert decode(labels, offsets) == [sorted(row) for row in gold]


def test_two_roles_of_one_span_are_one_event():
    """The original gave an argument twice, and an event too many."""
    gold = [[Event.of("goal", [("who", 0, 2), (TRIGGER, 0, 2)]),
             Event.of("goal", [("when", 4, 5)])]]
    labels = event_labels(gold, offsets_of(6), LABELS)
    assert labels.head[0, 0, :2].tolist() == [[1, 1], [0, 0]]
    assert labels.tail[0, 0, :2].tolist() == [[2, 2], [0, 0]]
    assert decode(labels, offsets_of(6)) == [sorted(gold[0])]


def test_options():
    whole = Event.of("goal", [(TRIGGER, 0, 1), ("who", 2, 3)])
    bare = Event.of("goal", [("when", 4, 5)])
    gold = [[whole, bare]]
    labels = event_labels(gold, offsets_of(6), LABELS)
    assert decode(labels, offsets_of(6), require_trigger=True) == [[whole]]
    part = Event.of("goal", [("who", 2, 3)])
    assert without_parts([part, whole, bare, whole]) == [whole, bare]
    other = part._replace(type="layoff")
    assert without_parts([other, whole]) == [other, whole]
    assert decode(labels, offsets_of(6), drop_parts=True) == [sorted(gold[0])]


def test_enum_value_is_a_role_of_the_trigger_span():
    labels = Labels([("listing", TRIGGER), ("listing", "delisted"), ("listing", "who")])
    event = Event.of("listing", [(TRIGGER, 1, 3), ("delisted", 1, 3), ("who", 4, 5)])
    packed = event_labels([[event]], offsets_of(5), labels)
    scores = [scores_of(one, 7) for one in packed]
    assert decode_events(*scores, offsets_of(5), labels) == [[event]]


def test_pathological_graphs_are_limited_and_told():
    """Two thirds of 24 arguments are linked: 3 ** 8 events."""
    offsets, count = offsets_of(24), 24
    scores = [np.full((1, h, 26, 26), -1.0) for h in (6, 1, 1)]
    places = np.arange(1, count + 1)
    scores[0][0, 1, places, places] = np.linspace(1, 2, count)
    group = (places - 1) // 3
    linked = np.where(group[:, None] != group, 1.0, -1.0)
    scores[1][0, 0, 1:-1, 1:-1] = scores[2][0, 0, 1:-1, 1:-1] = linked
    with pytest.warns(UserWarning, match="1 graphs have more than 100 events"):
        found = decode_events(*scores, offsets, LABELS, max_events=100)
    assert len(found[0]) == 100
    with pytest.warns(UserWarning, match="15 arguments beyond the best 9"):
        found = decode_events(*scores, offsets, LABELS, max_arguments=9)
    assert len(found[0]) == 27
    assert min(one.start for e in found[0] for one in e.arguments) == 15
    assert len(decode_events(*scores, offsets, LABELS, max_events=None)[0]) == 3**8


def test_bad_input_and_truncation():
    event = Event.of("goal", [(TRIGGER, 0, 1), ("who", 2, 9)])
    dropped = Dropped()
    labels = event_labels([[event]], offsets_of(5), LABELS, dropped=dropped)
    assert dropped.truncated == 1
    rest = Event("goal", (Argument(TRIGGER, 0, 1),))
    assert decode(labels, offsets_of(5)) == [[rest]]
    with pytest.raises(ValueError, match="unknown label .*'where'"):
        event_labels([[Event.of("goal", [("where", 0, 1)])]], offsets_of(5), LABELS)
    with pytest.raises(ValueError, match="0 <= start < end"):
        event_labels([[Event.of("goal", [("who", 3, 2)])]], offsets_of(5), LABELS)
    with pytest.raises(ValueError, match=r"head must have the shape \(1, 1, 7, 7\)"):
        decode_events(
            np.zeros((1, 6, 7, 7)), np.zeros((1, 2, 7, 7)), np.zeros((1, 1, 7, 7)),
            offsets_of(5), LABELS,
        )
