"""Reports are text: aligned for Chinese labels, with every kind of mistake."""

import pytest

from bert4keras3.extraction import (
    Entity,
    find_mistakes,
    score_report,
    span_f1,
    worst_differences,
    worst_mistakes,
)
from bert4keras3.extraction.report import width

TEXTS = ["北京大学在上海\n有分校", "小米Mate20", "好"]
GOLD = [[(0, 4, "机构"), (5, 7, "地名"), (8, 11, "机构")], [(0, 2, "公司")], []]
FOUND = [[(0, 2, "机构"), (5, 7, "机构")], [(0, 2, "公司"), (2, 8, "产品")], []]


def test_width():
    assert [width(t) for t in ("", "ab", "地名", "a地", "ｱＡ", "e\u0301", "😀")] == [
        0, 2, 4, 3, 3, 1, 2
    ]


def test_report_has_aligned_columns():
    gold = [[Entity(0, 1, "PER"), Entity(2, 3, "组织机构")]]
    lines = score_report(span_f1(gold, gold), digits=2).split("\n")
    assert lines == [
        "          precision  recall    f1  correct  predicted  gold",
        "PER            1.00    1.00  1.00        1          1     1",
        "组织机构       1.00    1.00  1.00        1          1     1",
        "micro          1.00    1.00  1.00        2          2     2",
        "macro          1.00    1.00  1.00",
        "",
    ]
    assert len({width(line) for line in lines[:4]}) == 1


def test_mistakes():
    mistakes = find_mistakes(GOLD[0], FOUND[0])
    assert mistakes.missed == [(8, 11, "机构")] and mistakes.spurious == []
    assert mistakes.wrong_type == [((5, 7, "地名"), (5, 7, "机构"))]
    assert mistakes.wrong_boundary == [((0, 4, "机构"), (0, 2, "机构"))]
    assert mistakes.count == 5
    # One gold entity explains one predicted one: that with the larger overlap.
    pieces = find_mistakes([(0, 5, "x")], [(0, 2, "x"), (2, 5, "x")])
    assert pieces.wrong_boundary == [((0, 5, "x"), (2, 5, "x"))]
    assert pieces.spurious == [(0, 2, "x")]


def test_worst_mistakes():
    assert worst_mistakes(TEXTS, GOLD, FOUND) == (
        "text 0, 5 wrong: 北京大学在上海 有分校\n"
        "  missed          机构: 有分校 [8:11]\n"
        "  wrong type      地名, not 机构: 上海 [5:7]\n"
        "  wrong boundary  机构: 北京大学 [0:4], not 北京 [0:2]\n"
        "\n"
        "text 1, 1 wrong: 小米Mate20\n"
        "  spurious        产品: Mate20 [2:8]\n"
    )
    assert worst_mistakes(TEXTS, GOLD, FOUND, count=1, longest=2).startswith(
        "text 0, 5 wrong: 北京...\n"
    )
    assert worst_mistakes(TEXTS, GOLD, GOLD) == ""


def test_worst_differences():
    texts = ["first", "second\nline", "third"]
    gold = [{("a", 1)}, {("b", 2), ("c", 3)}, {("d", 4)}]
    predicted = [{("a", 2)}, set(), {("d", 4)}]
    assert worst_differences(texts, gold, predicted, 1, show=lambda item: item[0]) == (
        "text 0, 2 wrong: first\n  missed    a\n  spurious  a\n"
    )
    both = worst_differences(texts, gold, predicted)
    assert both.count("wrong") == 2 and "missed    ('c', 3)" in both
    assert worst_differences(texts, gold, gold) == ""
    with pytest.raises(ValueError, match="3 rows of texts and 2 of gold"):
        worst_differences(texts, gold[:2], predicted)
