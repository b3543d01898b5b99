"""String helpers: recorded results, and truncation against its definition."""

import json
import random
from pathlib import Path

import pytest

from bert4keras3.snippets import (
    convert_to_str,
    convert_to_unicode,
    is_string,
    longest_common_subsequence,
    longest_common_substring,
    lowercase_and_normalize,
    string_matching,
    strQ2B,
    text_segmentate,
    truncate_sequences,
)

FILE = Path(__file__).parent / "golden" / "snippets" / "snippets.json"
GOLDEN = json.loads(FILE.read_text("utf-8"))


@pytest.mark.parametrize("case", GOLDEN["text_segmentate"], ids=range(9))
def test_text_segmentate(case):
    case = dict(case)
    result = case.pop("result")
    assert text_segmentate(**case) == result


@pytest.mark.parametrize("case", GOLDEN["truncate_sequences"], ids=range(9))
def test_truncate_sequences(case):
    """The recorded results; the lists themselves are shortened: scripts use them."""
    sequences = json.loads(json.dumps(case["sequences"]))
    found = truncate_sequences(case["maxlen"], case["indices"], *sequences)
    assert found == case["returned"]
    assert sequences == case["inputs_after"]


def popped(maxlen, indices, sequences):
    """The definition: pop from the longest (the first of equals) until all fit."""
    sequences = [list(s) for s in sequences]
    while sum(map(len, sequences)) > maxlen:
        sizes = [len(s) for s in sequences]
        longest = sizes.index(max(sizes))
        sequences[longest].pop(indices[longest])
    return sequences


def test_truncation_is_repeated_popping():
    rng = random.Random(0)
    for _ in range(2000):
        count = rng.randint(1, 4)
        sequences = [list(range(rng.randint(1, 12))) for _ in range(count)]
        indices = [rng.choice((-1, 0)) for _ in range(count)]
        maxlen = rng.randint(0, 30)
        expected = popped(maxlen, indices, sequences)
        assert truncate_sequences(maxlen, indices, *sequences) == expected


def test_truncation_keeps_indices_aligned():
    """The original gave the third sequence the index of the empty second one."""
    found = truncate_sequences(4, [0, 0, -1], [1, 2, 3], [], [4, 5, 6])
    assert found == [[2, 3], [4, 5]]


def test_truncation_refuses_what_cannot_be_done():
    with pytest.raises(ValueError, match="one index for each"):
        truncate_sequences(2, [0], [1], [2])
    with pytest.raises(ValueError, match="index 3"):
        truncate_sequences(2, 3, [1, 2, 3, 4])
    with pytest.raises(ValueError, match="maxlen=-1"):
        truncate_sequences(-1, 0, [1])


@pytest.mark.parametrize("case", GOLDEN["lcs"], ids=range(6))
def test_common_parts(case):
    length, spans = longest_common_substring(case["a"], case["b"])
    assert [length, list(spans)] == case["substring"]
    length, pairs = longest_common_subsequence(case["a"], case["b"])
    assert [length, [list(pair) for pair in pairs]] == case["subsequence"]


def test_string_matching():
    for text, patterns, found in GOLDEN["string_matching"]:
        assert string_matching(text, patterns) == found


def test_full_width_to_half_width():
    """The original called `unichr`, which Python 3 does not have."""
    assert strQ2B("ＡＢＣ\u3000１２３，。！今") == "ABC 123,。!今"
    ascii_twins = "".join(chr(code) for code in range(0x21, 0x7F))
    assert strQ2B("".join(chr(ord(c) + 0xFEE0) for c in ascii_twins)) == ascii_twins


def test_conversions():
    assert convert_to_unicode("今".encode("gbk"), "gbk") == "今"
    assert convert_to_unicode(b"a\xffb") == "ab" and convert_to_str("今") == "今"
    assert is_string("a") and not is_string(b"a")
    assert lowercase_and_normalize("ÉÅ \u0130X今") == "ea ix今"
