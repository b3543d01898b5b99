"""Bit-parallel common subsequences and the pseudo summaries chosen by them."""

import random
import time

import numpy as np
import pytest

from bert4keras3.utils.pseudo_summary import documents, lcs_length, pseudo_summary
from bert4keras3.utils.text import longest_common_subsequence

SENTENCES = [
    "天气真好。",
    "我们去公园散步。",
    "晚上看了电影。",
    "天气真好，我们去公园散步，晚上看电影。",
    "完。",
]


def table_length(source, target):
    """The table row by row in numpy, the obvious fast way."""
    source, row = np.array(list(source)), np.zeros(len(source) + 1, int)
    for one in target:
        new = np.maximum(row[1:], row[:-1] + (source == one))
        row = np.concatenate([[0], np.maximum.accumulate(new)])
    return row[-1]


def texts(rng, count, longest, letters="甲乙丙丁"):
    for _ in range(count):
        yield "".join(rng.choices(letters, k=rng.randrange(longest)))


def slowly(sentences, ratio):
    """The rule of T5-PEGASUS with joined texts and the whole table."""
    left, moved = list(range(len(sentences))), []

    def joined(chosen):
        return "".join(sentences[i] for i in sorted(chosen))

    while True:
        common = [
            longest_common_subsequence(
                joined([j for j in left if j != i]), joined([*moved, i])
            )[0]
            for i in left
        ]
        moved.append(left.pop(int(np.argmax(common))))
        source, target = joined(left), joined(moved)
        if len(left) == 1 or len(target) / len(source) > ratio:
            return (target, source) if len(source) < len(target) else (source, target)


def test_lengths_are_those_of_the_table():
    rng = random.Random(0)
    for source, target in zip(texts(rng, 300, 80), texts(rng, 300, 80), strict=True):
        expected = longest_common_subsequence(source, target)[0] if source else 0
        assert lcs_length(source, target) == lcs_length(target, source) == expected
    assert lcs_length([1, 2, 3], (3, 1, 3)) == 2


def test_several_times_as_fast_as_the_table():
    rng = random.Random(1)
    source, target = ("".join(rng.choices("的一是不了", k=n)) for n in (800, 200))
    times = {}
    for function in (table_length, lcs_length):
        runs = []
        for _ in range(5):
            start = time.perf_counter()
            length = function(source, target)
            runs.append(time.perf_counter() - start)
        times[function] = min(runs)
        assert length == table_length(source, target)
    assert times[lcs_length] < times[table_length] / 2  # measured: a ninth


def test_the_greedy_choice_is_that_of_the_slow_rule():
    rng = random.Random(2)
    for number in range(60):
        count = rng.randrange(2, 8)
        sentences = list(texts(rng, count, 9)) + ["甲乙", "丙"]
        ratio = (0.25, 0.6, 4.0)[number % 3]
        kept = [one for one in sentences if one]
        assert pseudo_summary(sentences, ratio) == slowly(kept, ratio)


def test_a_summary_says_what_the_rest_repeats():
    source, target = pseudo_summary(SENTENCES)
    assert target == SENTENCES[3]
    assert source == "天气真好。我们去公园散步。晚上看了电影。完。"


def test_the_longer_part_is_the_source():
    source, target = pseudo_summary(["天气很好，出去走走，回来再说。", "天气。"])
    assert (source, target) == ("天气很好，出去走走，回来再说。", "天气。")


@pytest.mark.parametrize("sentences, ratio", [(["一句"], 0.25), (["一", ""], 0.25)])
def test_too_few_sentences(sentences, ratio):
    with pytest.raises(ValueError, match="two sentences or more.*Received: 1"):
        pseudo_summary(sentences, ratio)
    with pytest.raises(ValueError, match="ratio=0"):
        pseudo_summary(SENTENCES, 0)


def test_documents_of_a_long_text():
    text = "\n".join("".join(SENTENCES) for _ in range(12))
    found = list(documents(text, piece=20, least=60))
    whole, joined = text.replace("\n", ""), "".join(map("".join, found))
    assert whole.startswith(joined) and whole[len(joined) :].count("。") < 3
    assert all(len(one) >= 3 for one in found)
    sizes = [sum(map(len, one)) for one in found[:-1]]
    assert all(60 < size <= 60 + 20 for size in sizes)
    assert list(documents("一。二。", piece=2)) == []
