"""Tokenizer against ids, tokens and offsets recorded from the original bert4keras.

Where the recording shows a bug of the original, MENDED says what is right instead.
"""

import json
from pathlib import Path

import pytest

from bert4keras3.tokenizers import Tokenizer

FOLDER = Path(__file__).parent / "golden" / "tokenizer"
GOLDEN = json.loads((FOLDER / "tokenizer.json").read_text("utf-8"))
VOCAB = str(FOLDER / "vocab.txt")

# (what, text) -> result. "İ" lower-cases to two characters; the original counted
# positions in the lower-cased text, so every later one was too large.
MENDED_RECORDS = {
    ("rematch", "\u0130stanbul I\u0307"): [
        [], [0, 1], [2], [3], [4], [5], [6], [7], [9], []
    ],
}
# The original looked for the replacement of a translated token, not for the token.
MENDED_TRANSLATE = {
    ("rematch", "hello world 今天"): [
        [], [0, 1, 2, 3, 4], [6, 7, 8, 9, 10], [], [13], []
    ],
}
# [] counted as "no tokens given", and the ids (None) were read.
MENDED_NO_TOKENS = {("decode_tokens", ""): ""}
# Start and end tokens without brackets were searched in the text, and not found.
MENDED_START = {
    ("rematch", "今天天气真好"): [[], [0], [1], [2], [3], [4], [5], []],
    ("rematch", "hello world 今天"): [
        [], [0, 1, 2, 3, 4], [6, 7, 8, 9, 10], [12], [13], []
    ],
    ("rematch", "Playing [MASK] unaffable"): [
        [], [0, 1, 2, 3], [4, 5, 6], [8], [9], [10], [11], [12], [13], [15, 16],
        [17, 18, 19], [20, 21, 22, 23], []
    ],
    ("rematch", "bbbbbbbbbbbb"): [[], *([i] for i in range(12)), []],
    ("rematch", ""): [[], []],
}
MENDED = {
    "translate": MENDED_TRANSLATE,
    "no_start_end": MENDED_NO_TOKENS,
    "custom_start_end": MENDED_START,
}


def outcome(function, *args, **kwargs):
    """The result as JSON would hold it, or the kind of error."""
    try:
        return json.loads(json.dumps(function(*args, **kwargs)))
    except ValueError:
        return "ValueError"


def expected(value):
    if isinstance(value, dict):
        kind = value["error"].split(":")[0]
        return "ValueError" if kind == "IndexError" else kind
    return value


def check(tokenizer, record, mended):
    """Compare all that was recorded for one text; return the mended parts met."""
    text = record["text"]
    tokens = tokenizer.tokenize(text)
    results = {
        "tokens": tokens,
        "encode": outcome(tokenizer.encode, text),
        "ids": tokenizer.tokens_to_ids(tokens),
        "rematch": outcome(tokenizer.rematch, text, tokens),
        "decode_ids": tokenizer.decode(tokenizer.tokens_to_ids(tokens)),
        "decode_tokens": tokenizer.decode(None, tokens),
    }
    assert set(record) - {"text"} <= set(results)
    met = set()
    for part in set(record) - {"text"}:
        right = expected(record[part])
        if (part, text) in mended:
            assert right != mended[part, text], f"{part} of {text!r} needs no mending"
            right = mended[part, text]
            met.add((part, text))
        assert results[part] == right, f"{part} of {text!r}"
    batch = tokenizer.encode_batch([text], as_lists=True)
    assert [batch[0][0], batch[1][0]] == results["encode"]
    return met


@pytest.mark.parametrize("lower", ["True", "False"])
def test_texts(lower):
    tokenizer = Tokenizer(VOCAB, do_lower_case=lower == "True")
    mended = MENDED_RECORDS if lower == "True" else {}
    met = set()
    for record in GOLDEN["do_lower_case"][lower]:
        met |= check(tokenizer, record, mended)
    assert met == set(mended)
    for role, i in GOLDEN[f"special_ids_{lower}"].items():
        assert getattr(tokenizer, f"_token_{role}_id") == i
    assert tokenizer._vocab_size == GOLDEN["vocab_size"]


def pairs_of_characters(text):
    return [text[i : i + 2] for i in range(0, len(text), 2)]


@pytest.mark.parametrize("name", GOLDEN["options"])
def test_options(name):
    case = GOLDEN["options"][name]
    kwargs = dict(case["kwargs"])
    if "pre_tokenize" in kwargs:
        kwargs["pre_tokenize"] = pairs_of_characters
    tokenizer = Tokenizer(VOCAB, do_lower_case=True, **kwargs)
    mended, met = MENDED.get(name, {}), set()
    for record in case["records"]:
        met |= check(tokenizer, record, mended)
    assert met == set(mended)
