"""Sentences of a text, and those that a summary is made of."""

from itertools import product

from bert4keras3.utils.extractive import extractive_labels, split_sentences


def test_sentences_are_the_text():
    text = "甲。“乙！”丙；丁\n\n戊？！己"
    found = split_sentences(text)
    assert found == ["甲。", "“乙！”", "丙；", "丁\n\n", "戊？！", "己"]
    assert split_sentences("") == [] and "".join(found) == text


def test_the_sentences_of_a_summary():
    sentences = ["今天下雨。", "路上有很多积水。", "学校停课一天。", "大家都很高兴。"]
    assert extractive_labels(sentences, "今天下雨，学校停课") == [1, 0, 1, 0]
    assert extractive_labels(sentences, "积 水很多") == [0, 1, 0, 0]
    assert extractive_labels(sentences, "完") == [0, 0, 0, 0]
    assert extractive_labels([], "今天") == []


def test_a_sentence_twice_is_taken_once():
    assert extractive_labels(["甲乙丙", "甲乙丙", "丁"], "甲乙丙") == [1, 0, 0]


def test_greedy_is_near_the_best_choice():
    """Of all choices, counted by hand, none is better by far."""
    sentences = ["甲乙丙丁", "丙丁戊", "己庚", "乙丙壬癸", "戊己"]
    summary = "乙丙丁戊己"

    def f1(text):
        scores = []
        for n in (1, 2):
            a, b = (
                [x[i : i + n] for i in range(len(x) - n + 1)] for x in (text, summary)
            )
            both = sum(min(a.count(x), b.count(x)) for x in set(a))
            scores.append(2 * both / max(len(a) + len(b), 1))
        return sum(scores) / 2

    def value(labels):
        # Pairs across two sentences are not counted: join by what nothing else has.
        parts = [x for x, one in zip(sentences, labels, strict=True) if one]
        return f1("|".join(parts)) if parts else 0.0

    best = max(value(labels) for labels in product((0, 1), repeat=5))
    assert value(extractive_labels(sentences, summary)) > 0.85 * best
