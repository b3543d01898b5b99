"""Scores equal recorded ones (seqeval 1.2.2, scikit-learn 1.9) and definitions."""

import json
import random
from pathlib import Path

import numpy as np
import pytest

from bert4keras3.extraction import (
    F1,
    ClassF1,
    Entity,
    argument_f1,
    event_f1,
    multilabel_f1,
    relation_f1,
    score_report,
    span_f1,
    tag_f1,
    tag_names,
    word_f1,
    worst_mistakes,
)

GOLDEN = Path(__file__).parent / "golden" / "extraction"


def recorded(name):
    return json.loads((GOLDEN / f"{name}.json").read_text("utf-8"))


def three(scores, prefix=""):
    return [scores[prefix + key] for key in ("precision", "recall", "f1")]


def counts(scores):
    return scores["correct"], scores["predicted"], scores["gold"]


def check(result, micro, macro, types):
    assert three(result) == pytest.approx(micro, abs=1e-9)
    assert three(result, "macro_") == pytest.approx(macro, abs=1e-9)
    found = [[*three(scores), scores["gold"]] for scores in result["types"].values()]
    assert np.array(found) == pytest.approx(np.array(types), abs=1e-9)


@pytest.mark.parametrize("mode", ["default", "strict"])
def test_tags_score_as_in_seqeval(mode):
    for case in recorded("seqeval"):
        gold, guess = ([r.split() for r in case[k]] for k in ("gold", "predicted"))
        strict = case["scheme"] if mode == "strict" else None
        result, expected = tag_f1(gold, guess, strict=strict), case[mode]
        assert list(result["types"]) == sorted(expected["types"])
        types = [expected["types"][kind] for kind in result["types"]]
        check(result, expected["micro"], expected["macro"], types)


def test_matrices_score_as_in_scikit_learn():
    for case in recorded("multilabel"):
        result = multilabel_f1(case["gold"], case["predicted"])
        check(result, case["micro"], case["macro"], case["types"])
    halves = ClassF1(["a", "b"])
    for gold, found in [([[1, 0]], [[1, 1]]), ([[1, 1]], [[1, 1]])]:
        halves.update(gold, found)
    result = halves.result()["types"]
    assert (counts(result["a"]), counts(result["b"])) == ((2, 2, 2), (1, 2, 1))


def test_spans_score_as_defined():
    rng = random.Random(0)
    places = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3)]
    everything = [Entity(*place, kind) for place in places for kind in "ab"]
    score, pairs = F1("label"), []
    for _ in range(30):
        batch = [
            [rng.choices(everything, k=rng.randint(0, 5)) for _ in range(3)]
            for _ in range(2)
        ]
        score.update(*batch)
        pairs += zip(*batch, strict=True)
    result = score.result()
    for kind in "ab":
        right, guess, both = 0, 0, 0
        for item in (e for e in everything if e.label == kind):
            right += sum(item in gold for gold, _ in pairs)
            guess += sum(item in found for _, found in pairs)
            both += sum(item in gold and item in found for gold, found in pairs)
        p, r = both / guess, both / right
        expected = [p, r, 2 * p * r / (p + r)]
        assert three(result["types"][kind]) == pytest.approx(expected)
    whole = span_f1(*([pair[k] for pair in pairs] for k in (0, 1)))
    assert whole == result and 0 < whole["f1"] < 1
    score.reset()
    assert three(score.result()) == [0, 0, 0] == three(score.result(), "macro_")


def test_words():
    gold = [["北京", "大学", "生"], ["New York"]]
    result = word_f1(gold, [["北京", "大", "学", "生"], ["New", "York"]])
    assert counts(result) == (2, 6, 4)
    assert word_f1(gold, gold)["f1"] == 1
    with pytest.raises(ValueError, match="text 0 differ"):
        word_f1([["北京"]], [["北"]])


def test_relations():
    gold = [[("Tom", "父", "Bob"), ("Tom", "妻", "Ann")], []]
    found = [[("tom", "父", "Bob"), ("Tom", "父", "Bob")], [("A", "妻", "B")]]
    assert counts(relation_f1(gold, found)) == (1, 3, 2)
    lower = relation_f1(gold, found, lambda r: (r[0].lower(), r[1], r[2].lower()))
    assert three(lower) == pytest.approx([0.5, 0.5, 0.5])
    assert three(lower["types"]["妻"]) == [0, 0, 0]


def test_events():
    trigger, buyer, sold = ("触发词", 0, 2), ("买方", 3, 5), ("标的", 6, 8)
    gold = [[("收购", (trigger, buyer, sold)), ("出售", (buyer,))]]
    found = [[("收购", (sold, trigger, buyer, buyer)), ("出售", [["买方", 3, 5]])]]
    assert event_f1(gold, found)["f1"] == 1
    needed = event_f1(gold, found, require_trigger=True)
    assert counts(needed) == (1, 1, 2)
    part = [[("收购", (trigger, buyer)), ("收购", (sold,))]]
    assert event_f1(gold, part)["correct"] == 0
    assert counts(argument_f1(gold, part)) == (2, 2, 3)


def test_padding_and_bad_input():
    tags = tag_names(["a"])
    assert tag_f1(np.array([[1, -1]]), np.array([[1, 1]]), tags)["f1"] == 1
    for call, error, message in [
        (lambda: tag_f1([["O"]], [["O", "O"]]), ValueError, "1 gold tags and 2"),
        (lambda: span_f1([[]], [[], []]), ValueError, "2 of predicted"),
        (lambda: F1().update([["a"]], [[["a"]]]), TypeError, "normalise=tuple"),
        (lambda: F1().update(["ab"], [["a"]]), TypeError, "list of items"),
        (lambda: span_f1([[(0, 1, "a")]], [[]]), TypeError, "Entity or TokenSpan"),
        (lambda: ClassF1(2).update([[1]], [[1]]), ValueError, r"\(B, 2\)"),
        (lambda: multilabel_f1([[1]], [[0.5]]), ValueError, "scores > 0"),
        (lambda: score_report({"f1": 1}), ValueError, "result of F1"),
        (lambda: worst_mistakes(["a"], [[(0, 2, "x")]], [[]]), ValueError, "text 0"),
    ]:
        with pytest.raises(error, match=message):
            call()
