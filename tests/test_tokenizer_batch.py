"""encode_batch gives the ids of encode for any text, padded as asked."""

import random
from pathlib import Path

import numpy as np
import pytest

from bert4keras3.tokenizers import TextTypeError, Tokenizer
from bert4keras3.utils import LengthBuckets

VOCAB = str(Path(__file__).parent / "golden" / "tokenizer" / "vocab.txt")
WORDS = [t for t in Path(VOCAB).read_text("utf-8").split("\n") if len(t) > 1]
# Spaces and controls of every kind, letters whose lower case has another length or
# depends on neighbours, marks of several classes, wide forms, beyond the first plane,
# a lone surrogate.
POOL = [
    *"今天天气真好我在北京 hello wörld,。！[MASK]##0123ＡＢ①カナ한국어ßéÅσςıé",
    *"\t\n\r\x00\x0b\x1c\x85\xa0\u00ad\u200b\u2028\u3000\ufeff\ufffd",
    *"\u0130\u03a3\u0301\u0308\u0323\u0345\u093e\u0f71\u1dfa\ufb01\uf900\u212b",
    *"\U00020001\U0002f800\U0001f600\ud800",
]
RANGES = ((32, 0x300), (0x300, 0x2000), (0x2000, 0xA000), (0xE000, 0x1FFFF))


def texts(rng, count):
    """Random texts: known characters, known words, and any code point at all."""
    found = []
    for _ in range(count):
        kinds = rng.choices("pwc", (70, 20, 10), k=rng.choice((0, 1, 3, 12, 60, 300)))
        parts = {
            "p": lambda: rng.choice(POOL),
            "w": lambda: rng.choice(WORDS),
            "c": lambda: chr(rng.randrange(*rng.choice(RANGES))),
        }
        found.append("".join(parts[kind]() for kind in kinds))
    return found


def check(tokenizer, firsts, seconds, **options):
    batch = tokenizer.encode_batch(firsts, seconds, as_lists=True, **options)
    pairs = zip(firsts, seconds or [None] * len(firsts), strict=True)
    for row, (first, second) in enumerate(pairs):
        ids, segments = tokenizer.encode(first, second, **options)
        found = list(batch[0][row]), list(batch[1][row])
        assert found == (ids, segments), (first, second, options)


@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("maxlen", [None, 5, 16, 64])
def test_random_texts(lower, maxlen):
    rng = random.Random(maxlen)
    tokenizer = Tokenizer(VOCAB, do_lower_case=lower, word_maxlen=rng.choice((200, 7)))
    for _ in range(8):
        firsts, seconds = texts(rng, 16), texts(rng, 16)
        for side in ("right", "left"):
            options = {"maxlen": maxlen, "truncate_from": side}
            check(tokenizer, firsts, None, **options)
            for pattern in ("S*E*E", "S*ES*E"):
                check(tokenizer, firsts, seconds, pattern=pattern, **options)


@pytest.mark.parametrize(
    "text",
    [
        "今天天气真好" * 2000,
        "a" * 9000,  # one word, longer than word_maxlen
        "hello " * 3000,  # no CJK character to cut at
        "好" + "x" * 190 + " world" * 3000,
        "\u200b" * 5000 + "今天",  # much that leaves no token
        " " * 5000 + "今天 hello",
        "unaffable" * 20 + "今" * 500,
        "今天" * 500 + "\u03a3" + "好" * 500,  # a context-dependent letter far behind
    ],
    ids=str.__len__,
)
def test_texts_far_beyond_maxlen(text):
    tokenizer = Tokenizer(VOCAB, do_lower_case=True)
    for maxlen in (2, 8, 128):
        for side in ("right", "left"):
            check(tokenizer, [text, "今天"], None, maxlen=maxlen, truncate_from=side)
            if maxlen > 4:
                check(tokenizer, [text], ["hello"], maxlen=maxlen, truncate_from=side)


def test_hooks_of_a_subclass_are_used():
    class Spaces(Tokenizer):
        def _tokenize(self, text, pre_tokenize=True):
            return text.split()

    firsts = ["今天 hello", "world"]
    check(Spaces(VOCAB), firsts, None)
    check(Spaces(VOCAB), firsts, firsts, maxlen=5)
    check(Tokenizer(VOCAB, pre_tokenize=str.split), firsts, None)
    check(Tokenizer(VOCAB, token_translate={"今": "天"}), firsts, None)
    check(Tokenizer(VOCAB, token_start=None, token_end=None), firsts, firsts, maxlen=4)
    check(Tokenizer(VOCAB), [["[CLS]", "今"], "今天"], None, truncate_from=1)


def test_padding():
    tokenizer = Tokenizer(VOCAB)
    pad = tokenizer._token_pad_id = 5  # a value that no unpadded cell has by chance
    firsts, seconds = ["今天", "今天天气真好", ""], ["好", "", "我在"]
    ids, segments = tokenizer.encode_batch(firsts, seconds)
    assert ids.dtype == segments.dtype == np.int32
    assert ids.shape == segments.shape == (3, 9)
    for row in range(3):
        right, second = tokenizer.encode(firsts[row], seconds[row])
        rest = 9 - len(right)
        assert ids[row].tolist() == right + [pad] * rest
        assert segments[row].tolist() == second + [0] * rest
    widths = {12: 12, (8, 16): 16, LengthBuckets((9, 32)): 9, "longest": 9, 6: 6}
    for length, width in widths.items():
        ids, _ = tokenizer.encode_batch(firsts, seconds, length=length)
        assert ids.shape == (3, width)
    assert ids[1, -1] == tokenizer._token_end_id  # cut to 6 with its end token
    assert tokenizer.encode_batch(firsts, length=(4, 6))[0].shape == (3, 6)
    assert tokenizer.encode_batch([], length=7)[0].shape == (0, 7)
    assert tokenizer.encode_batch([])[0].shape == (0, 0)


def test_wrong_texts_are_named():
    tokenizer = Tokenizer(VOCAB)
    with pytest.raises(TextTypeError, match=r"texts\[1\].*nan"):
        tokenizer.encode_batch(["今天", float("nan")])
    with pytest.raises(TextTypeError, match=r"second_texts\[0\].*None"):
        tokenizer.encode_batch(["今天"], [None])
    with pytest.raises(ValueError, match="same length"):
        tokenizer.encode_batch(["今天"], [])
    with pytest.raises(ValueError, match="length must be"):
        tokenizer.encode_batch(["今天"], length="shortest")


def test_offsets_point_into_the_text():
    tokenizer = Tokenizer(VOCAB, do_lower_case=True)
    text = "\u0130 今天Hello, wörld"
    tokens = tokenizer.tokenize(text)
    spans = tokenizer.offsets(text, tokens)
    assert spans.shape == (len(tokens), 2) and spans[0].tolist() == [0, 0]
    pieces = {token: text[a:b] for token, (a, b) in zip(tokens, spans, strict=True)}
    assert pieces["今"] == "今" and pieces["hello"] == "Hello"
    found = tokenizer.rematch_batch([text], [tokens])
    assert found == [tokenizer.rematch(text, tokens)]
