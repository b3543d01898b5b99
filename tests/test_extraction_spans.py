"""Entities -> token spans -> GlobalPointer labels -> scores -> the same entities."""

import random
import warnings

import numpy as np
import pytest

from bert4keras3.extraction import (
    Dropped,
    Entity,
    Labels,
    decode_spans,
    dense_pointer_labels,
    pointer_labels,
    to_entities,
    token_spans,
)
from bert4keras3.tokenizers import Tokenizer

LABELS = Labels(["公司", "产品", "地名"])
TEXTS = [
    "小米Mate20在北京😀发布,𠮷野家 iPhone 12Pro",
    "Café 龘龘 位于\t上海　浦东，\n2023年开业",
    "😀",
    "",
]


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer("zh-tiny", do_lower_case=True)


def offsets_of(tokenizer, texts, maxlen=None):
    return [tokenizer.offsets(text, tokenizer.tokenize(text, maxlen)) for text in texts]


def random_entities(offsets, rng):
    """Up to five spans from token to token, nested and overlapping ones too."""
    real = [(a, b) for a, b in offsets.tolist() if b > a]
    pairs = [sorted(rng.choices(range(len(real)), k=2)) for _ in range(5) if real]
    found = {Entity(real[i][0], real[j][1], rng.choice(LABELS.names)) for i, j in pairs}
    return sorted(found)


def test_round_trip(tokenizer):
    rng, offsets = random.Random(0), offsets_of(tokenizer, TEXTS)
    length = max(map(len, offsets)) + 3
    for _ in range(20):
        entities = [random_entities(one, rng) for one in offsets]
        spans = token_spans(entities, offsets, TEXTS)
        assert to_entities(spans, offsets) == entities
        dense = dense_pointer_labels(spans, LABELS, length)
        assert decode_spans(dense, offsets, LABELS) == entities
        sparse = pointer_labels(spans, LABELS)
        again = np.zeros_like(dense)
        for b, h, k in np.ndindex(sparse.shape[:3]):
            again[(b, h, *sparse[b, h, k])] = 1
        again[:, :, 0, 0] = 0  # the filler
        np.testing.assert_array_equal(again, dense)


def test_known_spans(tokenizer):
    text = "小米Mate20在北京"
    items = [(0, 2, "公司"), [2, 8, "产品"], Entity(9, 11, "地名"), (9, 11, "地名")]
    spans = token_spans([items], offsets_of(tokenizer, [text]), [text])
    assert spans == [[("公司", 1, 2), ("产品", 3, 6), ("地名", 8, 9)]]
    labels = pointer_labels(spans, LABELS, multiple=2)
    assert labels.dtype == np.int32
    assert labels[0, :, 0].tolist() == [[1, 2], [3, 6], [8, 9]]
    assert labels.shape == (1, 3, 2, 2) and not labels[0, :, 1].any()
    assert pointer_labels([[], []], LABELS, multiple=4).shape == (2, 3, 4, 2)
    assert pointer_labels([], LABELS).shape == (0, 3, 8, 2)


def test_what_does_not_fit_is_counted(tokenizer):
    text = "小米Mate20在 北京"  # ma is no token of its own: m, ##a, ##te, ##20
    items = [(0, 2, "公司"), (2, 5, "产品"), (8, 10, "地名"), (10, 12, "地名")]
    offsets = offsets_of(tokenizer, [text])
    with pytest.warns(UserWarning, match="2 of 4 spans .*misaligned=2"):
        spans = token_spans([items], offsets, [text])
    assert [span.label for span in spans[0]] == ["公司", "地名"]
    count = Dropped()
    short = offsets_of(tokenizer, [text], maxlen=5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # who counts is not warned
        for _ in range(2):
            assert len(token_spans([items], short, [text], count)[0]) == 1
    # The last tokens are 小 米 m: all that begins or ends later was cut.
    assert (count.truncated, count.misaligned, count.total) == (6, 0, 6)


def reference(scores, offsets, labels, threshold):
    """From the definition, one score at a time."""
    found = set()
    for h, i, j in np.ndindex(scores.shape):
        inside = 1 <= i <= j < len(offsets) and scores[h, i, j] > threshold
        if inside and offsets[i][0] < offsets[i][1] and offsets[j][0] < offsets[j][1]:
            found.add(Entity(int(offsets[i][0]), int(offsets[j][1]), labels.names[h]))
    return sorted(found)


@pytest.mark.parametrize("threshold", [0.0, 1.5])
def test_decode_is_its_definition(tokenizer, threshold):
    offsets = offsets_of(tokenizer, TEXTS)
    scores = np.random.normal(size=(4, 3, 30, 30)).astype("float32")
    scores[1] = np.where(np.random.rand(3, 30, 30) < 0.5, -np.inf, scores[1])
    found = decode_spans(scores, offsets, LABELS, threshold)
    for b, one in enumerate(offsets):
        assert found[b] == reference(scores[b], one, LABELS, threshold)
    assert found[0]
    assert decode_spans(scores, offsets, LABELS, [threshold] * 3) == found
    masked = np.full_like(scores, -np.inf)
    assert decode_spans(masked, offsets, LABELS) == [[]] * 4
    assert decode_spans(scores[:0], [], LABELS) == []


def test_the_best_of_what_overlaps(tokenizer):
    offsets = offsets_of(tokenizer, ["北京大学在上海"])
    scores = np.full((1, 3, 9, 9), -1.0)
    scores[0, 2, 1, 2], scores[0, 0, 1, 4], scores[0, 0, 4, 5] = 2, 3, 1
    scores[0, 2, 6, 7], scores[0, 1, 6, 7] = 5, 4
    kept = [[Entity(0, 4, "公司"), Entity(5, 7, "地名")]]
    assert decode_spans(scores, offsets, LABELS, nested=False) == kept
    assert len(decode_spans(scores, offsets, LABELS)[0]) == 5


def test_bad_input():
    offsets = [[(0, 0), (0, 1), (1, 2), (0, 0)]]
    for bad in [(1, 1, "公司"), (-1, 1, "公司"), (1, 3, "公司"), (2, 1, "公司")]:
        with pytest.raises(ValueError, match=r"of text 0"):
            token_spans([[bad]], offsets, ["北京"])
    with pytest.raises(ValueError, match="unknown label"):
        pointer_labels([[("公可", 1, 2)]], LABELS)
    for i, j in [(2, 1), (0, 1), (1, 4)]:
        with pytest.raises(ValueError, match=r"spans\[0\] holds"):
            dense_pointer_labels([[("公司", i, j)]], LABELS, 4)
    with pytest.raises(ValueError, match="at least one name"):
        Labels([])
    with pytest.raises(ValueError, match="distinct.*'a'"):
        Labels(["a", "b", "a"])
    with pytest.raises(ValueError, match=r"\(B, 3, T, T\)"):
        decode_spans(np.zeros((1, 2, 4, 4)), offsets, LABELS)
    with pytest.raises(ValueError, match="4 tokens, but the scores only 3"):
        decode_spans(np.zeros((1, 3, 3, 3)), offsets, LABELS)
    with pytest.raises(ValueError, match="one row for every text"):
        token_spans([[], []], offsets)
    with pytest.raises(ValueError, match="label id -1"):
        LABELS[-1]
