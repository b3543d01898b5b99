"""SpTokenizer against ids, tokens and texts recorded from the original bert4keras."""

import json
from pathlib import Path

import pytest

from bert4keras3.tokenizers import SpTokenizer

pytest.importorskip("sentencepiece")

FOLDER = Path(__file__).parent / "golden" / "sp_tokenizer"
MODEL = FOLDER / "spm.model"
GOLDEN = json.loads((FOLDER / "sp_tokenizer.json").read_text("utf-8"))
CASES = ["mt5", "default", "none", "translate"]
SECOND = "我在北京。学习！"


def pairs_of_chars(text):
    return [text[i : i + 2] for i in range(0, len(text), 2)]


@pytest.fixture(scope="module", params=CASES)
def case(request):
    found = GOLDEN[request.param]
    return found, SpTokenizer(MODEL, **found["kwargs"])


def test_attributes(case):
    found, tokenizer = case
    assert tokenizer._vocab_size == found["vocab_size"]
    assert tokenizer._token_pad == found["token_pad"]
    assert tokenizer._token_unk == found["token_unk"]
    for role, i in found["ids"].items():
        assert getattr(tokenizer, f"_token_{role}_id", None) == i, role
    special = [i for i in range(found["vocab_size"]) if tokenizer._is_special(i)]
    assert special == found["is_special"]
    decodable = [tokenizer._is_decodable(i) for i in (10, found["vocab_size"])]
    assert decodable == found["is_decodable_10_oov"]


def test_tokens_and_ids(case):
    found, tokenizer = case
    for record in found["records"]:
        text = record["text"]
        assert tokenizer.tokenize(text) == record["tokens"]
        assert tokenizer.tokens_to_ids(record["tokens"]) == record["ids"]
        assert list(tokenizer.encode(text)) == record["encode"]
        assert list(tokenizer.encode(text, maxlen=6)) == record["encode_maxlen_6"]


def test_pairs(case):
    """The original gives one id too many where no start token is dropped."""
    found, tokenizer = case
    size = 9 if tokenizer._token_start else 10
    for record in found["records"]:
        pair = tokenizer.encode(record["text"], SECOND, maxlen=size)
        assert list(pair) == record["pair_maxlen_9"]
        assert len(tokenizer.encode(record["text"], SECOND, maxlen=9)[0]) <= 9


def test_decode(case):
    found, tokenizer = case
    beyond = tokenizer._vocab_size
    for record in found["records"]:
        ids = tokenizer.encode(record["text"])[0]
        assert tokenizer.decode(ids) == record["decode"]
        assert tokenizer.decode([*ids, beyond]) == record["decode_oov"]


def test_pre_tokenize():
    tokenizer = SpTokenizer(
        MODEL, token_start=None, token_end="</s>", pre_tokenize=pairs_of_chars
    )
    for record in GOLDEN["pre_tokenize_pairs_of_chars"]["records"]:
        assert tokenizer.tokenize(record["text"]) == record["tokens"]


def test_an_id_beyond_the_vocabulary_is_no_token():
    tokenizer = SpTokenizer(MODEL)
    assert tokenizer.ids_to_tokens([35, 101, 5000]) == ["▁今天天气真好", "", ""]
