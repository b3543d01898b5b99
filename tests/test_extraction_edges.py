"""Tokens that share a character, a text without start token, batches in pieces."""

import numpy as np
import pytest

from bert4keras3.extraction import (
    Dropped,
    Entity,
    Labels,
    Relation,
    decode_spans,
    encode_tags,
    relation_strings,
    tag_names,
    to_entities,
    token_spans,
    words_of,
)

LABELS = Labels(["a", "b"])
# The character 1 is three tokens, as byte pieces are.
SHARED = [(0, 0), (0, 1), (1, 2), (1, 2), (1, 2), (2, 3), (0, 0)]


def test_tokens_that_share_a_character():
    entities = [[Entity(0, 2, "a"), Entity(1, 2, "a"), Entity(1, 3, "b")]]
    spans = token_spans(entities, [SHARED])
    assert spans == [[("a", 1, 4), ("a", 2, 4), ("b", 2, 5)]]
    assert to_entities(spans, [SHARED]) == entities
    scores = np.full((1, 2, 7, 7), -1.0)
    # The same entity twice counts with its better score.
    scores[0, 0, 2, 4], scores[0, 0, 3, 3], scores[0, 1, 2, 5] = 3, 1, 2
    assert decode_spans(scores, [SHARED], LABELS) == [entities[0][1:]]
    assert decode_spans(scores, [SHARED], LABELS, nested=False) == [[(1, 2, "a")]]


def test_token_0_is_never_part_of_an_entity():
    offsets, scores = [(0, 1), (1, 2), (2, 3)], np.ones((1, 2, 3, 3))
    found = decode_spans(scores, [offsets], LABELS)
    assert {entity[:2] for entity in found[0]} == {(1, 2), (1, 3), (2, 3)}


def test_batches_are_searched_in_pieces(monkeypatch):
    offsets = [[(0, 0), *((i, i + 1) for i in range(n)), (0, 0)] for n in (3, 5, 1, 0)]
    scores = np.random.normal(size=(4, 2, 7, 7))
    whole = decode_spans(scores, offsets, LABELS)
    monkeypatch.setattr("bert4keras3.extraction.positions._CHUNK", 200)
    assert decode_spans(scores, offsets, LABELS) == whole
    assert whole[1] and not whole[3]


def test_counter_adds_up():
    count = Dropped(truncated=1)
    for _ in range(2):
        token_spans([[(1, 3, "a"), (2, 4, "a")]], [[(0, 2), (2, 3)]], dropped=count)
        spans = [[("a", 0, 2), ("b", 2, 2)]]
        encode_tags(spans, tag_names(LABELS), 3, "longest", count)
    assert count == Dropped(truncated=3, misaligned=2, overlapping=2)


def test_equal_spans_of_two_labels_become_the_first_label():
    tags = tag_names(LABELS)
    with pytest.warns(UserWarning, match="overlapping=1"):
        ids = encode_tags([[("b", 0, 0), ("a", 0, 0)]], tags, 1, "longest")
    assert ids.tolist() == [[tags.id("B-a")]]


def test_special_tokens_cut_no_words():
    offsets = [(0, 0), (0, 1), (1, 1), (1, 2), (2, 2)]
    assert words_of(["北京"], [[0, 1, 0, 3, 0]], [offsets]) == [["北京"]]


def test_relations_as_strings():
    texts = ["A B 的作者是a b", "无"]
    spans = (0, 3), (8, 11)
    relations = [[Relation(a, "作者", b) for a, b in (spans, spans[::-1])], []]
    assert relation_strings(texts, relations) == [{("ab", "作者", "ab")}, set()]
    with pytest.raises(ValueError, match="2 rows of texts and 1 of relations"):
        relation_strings(texts, relations[:1])
