"""Truncation, decoding and character classes of Tokenizer, against recordings."""

import json
from pathlib import Path

import pytest

from bert4keras3.tokenizers import Tokenizer
from bert4keras3.tokenizers.characters import (
    CJK_PUNCTUATION,
    is_cjk,
    is_dropped,
    is_punctuation,
    is_space,
)
from bert4keras3.tokenizers.vocab import is_redundant
from bert4keras3.utils.text import lowercase_and_normalize

FOLDER = Path(__file__).parent / "golden" / "tokenizer"
GOLDEN = json.loads((FOLDER / "tokenizer.json").read_text("utf-8"))
PREDICATES = json.loads((FOLDER / "predicates.json").read_text("utf-8"))
VOCAB = str(FOLDER / "vocab.txt")


def lists(encoded):
    return [list(part) for part in encoded]


@pytest.mark.parametrize("record", GOLDEN["truncation"], ids=str)
def test_truncation(record):
    tokenizer = Tokenizer(VOCAB, do_lower_case=True)
    right = record["result"]
    if "tokenize_maxlen" in record:
        assert tokenizer.tokenize(record["first"], record["tokenize_maxlen"]) == right
        return
    names = ("maxlen", "pattern", "truncate_from")
    options = {name: record[name] for name in names if name in record}
    first, second = record["first"], record["second"]
    seconds = None if second is None else [second]
    if isinstance(right, dict):
        # A position outside the sequence is a ValueError here, an IndexError there.
        assert right["error"].startswith("IndexError")
        with pytest.raises(ValueError, match="index"):
            tokenizer.encode(first, second, **options)
        with pytest.raises(ValueError, match="index"):
            tokenizer.encode_batch([first], seconds, **options)
        return
    assert lists(tokenizer.encode(first, second, **options)) == right
    ids, segments = tokenizer.encode_batch([first], seconds, **options)
    assert [ids[0].tolist(), segments[0].tolist()] == right


def test_decode():
    tokenizer = Tokenizer(VOCAB)
    for record in GOLDEN["decode"]:
        assert tokenizer.decode(None, record["tokens"]) == record["text"]


def test_character_classes():
    """Of the code points below U+10000, and samples beyond."""
    classes = {"_is_space": is_space, "_is_punctuation": is_punctuation}
    for name, function in {**classes, "_is_cjk_character": is_cjk}.items():
        found = {c for c in PREDICATES["codepoints"] if function(chr(c))}
        assert found == set(PREDICATES[name]), name
    assert {ord(c) for c in CJK_PUNCTUATION} == set(PREDICATES["cjk_punctuation"])
    control = set(PREDICATES["_is_control"]) - {ord(c) for c in "\t\n\r"}
    assert control and all(is_dropped(chr(c)) for c in control)
    for token, redundant in PREDICATES["redundant"]:
        assert is_redundant(token) == redundant, token
    for text, normal in PREDICATES["lowercase_and_normalize"]:
        assert lowercase_and_normalize(text) == normal
    for token, stem in PREDICATES["stem"]:
        assert Tokenizer.stem(token) == stem
    for token, special in PREDICATES["special"]:
        assert Tokenizer._is_special(token) == special


def test_bounds_without_start_token():
    """The original allowed for a second start token that was never there."""
    tokenizer = Tokenizer(VOCAB, token_start=None)
    ids, segments = tokenizer.encode("今天天气真好", "我在北京学习", maxlen=8)
    assert len(ids) == len(segments) == 8
    assert tokenizer.decode(ids[:3]) == "今天天" and segments == [0] * 4 + [1] * 4


def test_decoding_may_start_with_a_piece():
    """The original read the last character of an empty text."""
    assert Tokenizer(VOCAB).decode(None, ["##", "a", "##b"]) == "ab"


def test_lists_of_tokens_stay_as_they_are():
    """The original shortened the caller's lists."""
    tokenizer = Tokenizer(VOCAB)
    tokens = tokenizer.tokenize("今天天气真好")
    copy = list(tokens)
    ids, _ = tokenizer.encode(tokens, maxlen=4)
    assert tokens == copy and tokenizer.ids_to_tokens(ids) == [*copy[:3], "[SEP]"]


def test_a_tuple_is_no_text():
    """transformers users write pairs as tuples; as tokens they would be [UNK] [UNK]."""
    tokenizer = Tokenizer(VOCAB, do_lower_case=True)
    for call in (tokenizer.encode, lambda pair: tokenizer.encode_batch([pair])):
        with pytest.raises(TypeError, match="encode_batch\\(firsts, seconds\\)"):
            call(("你好", "世界"))
    with pytest.raises(TypeError, match="list of texts"):
        tokenizer.encode_batch("你好")
