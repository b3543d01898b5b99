"""Spans as tags and back; words as tags and back."""

import random

import numpy as np
import pytest

from bert4keras3.extraction import (
    Dropped,
    Labels,
    decode_tags,
    encode_tags,
    tag_names,
    to_entities,
    words_of,
    words_to_tags,
)
from bert4keras3.tokenizers import Tokenizer

LABELS = Labels(["人", "地", "机构"])


def random_spans(rng, length):
    """Spans that share no token, some of them side by side."""
    place, spans = 0, []
    while place < length:
        size = min(rng.randint(1, 4), length - place)
        if rng.random() < 0.6:
            spans.append((rng.choice(LABELS.names), place, place + size - 1))
        place += size
    return spans


@pytest.mark.parametrize("scheme", ["BIO", "BIOES", "BMES"])
def test_round_trip(scheme):
    rng, tags = random.Random(0), tag_names(LABELS, scheme)
    for _ in range(50):
        lengths = [rng.randint(0, 12) for _ in range(4)]
        spans = [random_spans(rng, length) for length in lengths]
        ids = encode_tags(spans, tags, 14)
        assert (ids.dtype, ids.shape) == (np.int32, (4, 14))
        rows = [[tags[i] for i in row] for row in ids]
        ids = np.where(np.arange(14) < np.array(lengths)[:, None], ids, -1)
        assert decode_tags(ids, tags) == spans
        assert decode_tags(ids, tags, strict=scheme) == spans
        assert decode_tags(rows, strict=scheme) == spans
        assert decode_tags(rows, tags) == spans


def test_ids_and_names_of_a_scheme():
    assert tag_names(["a", "b"]).names == ("O", "B-a", "I-a", "B-b", "I-b")
    spans = [[("b", 1, 3), ("a", 4, 4)]]
    assert encode_tags(spans, tag_names(["a", "b"]), 6).tolist() == [[0, 3, 4, 4, 1, 0]]
    own = Labels(["S-a", "E-b", "I-b", "O", "B-b", "B-a"])  # another model's
    assert encode_tags(spans, own, 6).tolist() == [[3, 4, 2, 1, 0, 3]]
    bmes = tag_names(["a"], "BMES")
    assert bmes.names == ("O", "B-a", "M-a", "E-a", "S-a")


def test_odd_sequences_are_read_as_conlleval_does():
    def read(line, **settings):
        return [tuple(span) for span in decode_tags([line.split()], **settings)[0]]

    assert read("I-x I-x O I-y") == [("x", 0, 1), ("y", 3, 3)]
    assert read("B-x I-y I-y") == [("x", 0, 0), ("y", 1, 2)]
    assert read("I-x I-x B-x I-x") == [("x", 0, 1), ("x", 2, 3)]  # IOB1
    assert read("B-x E-x E-x") == [("x", 0, 1), ("x", 2, 2)]
    assert read("S-x I-x") == [("x", 0, 0), ("x", 1, 1)]
    assert read("B_x L_x U_y B I") == [("x", 0, 1), ("y", 2, 2), ("_", 3, 4)]
    assert read("B-x I-x O O", lengths=[1]) == [("x", 0, 0)]
    assert read("I-x B-x I-x B-y I-x", strict="BIO") == [("x", 1, 2), ("y", 3, 3)]
    assert read("B-x I-x S-x B-x E-x I-y E-y", strict="BIOES") == [
        ("x", 2, 2), ("x", 3, 4)
    ]
    assert decode_tags([]) == [] and decode_tags([[], ["O"]]) == [[], []]
    assert decode_tags(np.full((2, 3), -1), tag_names(["a"])) == [[], []]


def test_tags_as_entities():
    offsets = [[(0, 0), (0, 1), (1, 5), (0, 0)], [(0, 0)]]
    spans = decode_tags([["B-x", "I-x", "I-x", "I-x"], ["B-x"]])
    assert to_entities(spans, offsets) == [[(0, 5, "x")], []]


def test_overlap():
    spans, tags = [[], [("人", 0, 1), ("地", 1, 4), ("人", 5, 6)]], tag_names(LABELS)
    with pytest.raises(ValueError, match=r"spans\[1\] holds \('人', 0, 1\)"):
        encode_tags(spans, tags, 8)
    count = Dropped()
    ids = encode_tags(spans, tags, 8, "longest", count)
    assert count == Dropped(overlapping=1)
    assert decode_tags(ids, tags) == [[], [("地", 1, 4), ("人", 5, 6)]]
    with pytest.warns(UserWarning, match="1 of 3 spans"):
        encode_tags(spans, tags, 8, "longest")


def test_bad_input():
    tags = tag_names(["a"])
    for call, message in [
        (lambda: tag_names(["a"], "BOI"), "BIO, BIOES, BMES"),
        (lambda: encode_tags([[("b", 0, 0)]], tags, 2), "unknown label 'b'"),
        (lambda: encode_tags([[("a", 1, 2)]], tags, 2), "length = 2"),
        (lambda: encode_tags([[("a", 1, 0)]], tags, 2), "i <= j"),
        (lambda: encode_tags([], Labels(["O", "S-a"]), 2), "neither 'B-a'"),
        (lambda: decode_tags([[3]], tags), "tag id 3"),
        (lambda: decode_tags([[1]]), "tags=tag_names"),
        (lambda: decode_tags([["X-a"]]), "'X-a' is no tag"),
        (lambda: decode_tags([1, 2], tags), "batch of one"),
        (lambda: decode_tags([["E-a"]], strict="BIO"), "BIOES"),
        (lambda: decode_tags([["O"]], lengths=[1, 2]), "one row for every text"),
        (lambda: words_of(["北京"], [[0]]), "1 tags for 2 tokens"),
        (lambda: words_to_tags([["北", ""]]), "empty word"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()
    with pytest.raises(TypeError, match="list of str"):
        words_to_tags(["北京"])


BATCH = [["今天", "天气", "很", "好"], ["iPhone", "12Pro", "在", "北京 大学", "卖"], []]


def test_words_of_characters():
    tags = words_to_tags(BATCH)
    assert tags[0].tolist() == [1, 3, 1, 3, 0, 0]
    assert tags[1].tolist() == [1, 2, 2, 2, 2, 3, 1, 2, 2, 2, 3, 0, 1, 2, 2, 2, 3, 0]
    assert words_of(["".join(words) for words in BATCH], tags) == BATCH


def test_words_of_tokens():
    tokenizer = Tokenizer("zh-tiny", do_lower_case=True)
    batch = [["今天", "😀", " ", "iPhone", "卖", " 12Pro", "\n"], ["北京", "大学城"]]
    texts = ["".join(words) for words in batch]
    tokens = [tokenizer.tokenize(text) for text in texts]
    offsets = [tokenizer.offsets(*pair) for pair in zip(texts, tokens, strict=True)]
    tags = words_to_tags(batch, offsets)
    assert tags[1].tolist() == [0, 1, 3, 1, 2, 3, 0]
    assert words_of(texts, tags, offsets) == [
        ["今天", "😀", "iPhone", "卖", "12Pro"], ["北京", "大学城"]
    ]
    # What truncation left out is one more word.
    short = tokenizer.offsets(texts[1], tokenizer.tokenize(texts[1], 4))
    assert words_of(texts[1:], tags[1:], [short]) == [["北京", "大学城"]]
    assert words_of(texts[1:], [[0] * 4], [short]) == [["北", "京", "大学城"]]
    with pytest.raises(ValueError, match="have 1. Tokenize"):
        words_to_tags([["北"]], offsets[1:])
