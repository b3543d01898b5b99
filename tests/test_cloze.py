"""Patterns with blanks: ids, targets, truncation and mistakes, in numpy."""

import numpy as np
import pytest

from bert4keras3.tokenizers import Tokenizer
from bert4keras3.training import Cloze

WORDS = {"good": "很", "bad": "不"}


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer("zh-tiny", do_lower_case=True)


def text(tokenizer, ids):
    return "".join(tokenizer.ids_to_tokens(ids))


def test_records(tokenizer):
    cloze = Cloze(tokenizer, "[unused2][MASK]满意。{a}[SEP]{b}", WORDS)
    record = {"a": "房间[MASK]好", "b": "早餐"}
    ids, segments = cloze.encode(record)
    shown = text(tokenizer, ids)
    assert shown.startswith("[CLS][unused2][MASK]满意。房间")
    assert shown.endswith("好[SEP]早餐[SEP]")
    assert ids.count(cloze.mask_id) == 1 and segments == [0] * len(ids)
    ids, _, targets, weights = cloze.example(record, "bad")
    assert np.flatnonzero(weights).tolist() == [2]
    assert tokenizer.id_to_token(targets[2]) == "不"
    assert targets[3:] == ids[3:]
    assert cloze.labels == ["good", "bad"]
    assert cloze.words.tolist() == [tokenizer.tokens_to_ids(w) for w in ("很", "不")]


def test_hidden_tokens(tokenizer):
    cloze = Cloze(tokenizer, "[MASK]满意。{a}", WORDS)
    record, generator = {"a": "房间很干净，早餐也不错" * 8}, np.random.default_rng(0)
    plain = cloze.encode(record)[0]
    assert len(cloze.example(record, None, 0.3)[0]) == len(plain)  # without a generator
    shares, kept = [], []
    for label in (None, "good") * 100:
        ids, _, targets, weights = cloze.example(record, label, 0.3, generator)
        weights = np.array(weights)
        assert weights[1] == (label is not None)
        hidden = np.flatnonzero(weights[2:]) + 2
        assert hidden.min() >= 5 and hidden.max() < len(ids) - 1  # fields alone
        assert all(targets[i] == plain[i] for i in hidden)
        same = [i for i in range(2, len(ids)) if ids[i] == plain[i]]
        assert set(range(2, len(ids))) - set(same) <= set(hidden)
        shares.append(len(hidden) / len(record["a"]))
        kept.append(np.mean([ids[i] == cloze.mask_id for i in hidden]))
    assert abs(np.mean(shares) - 0.3) < 0.02 and abs(np.mean(kept) - 0.8) < 0.02


def test_the_longest_field_is_shortened(tokenizer):
    cloze = Cloze(
        tokenizer, "{a}，[MASK][MASK]，{b}", {1: "很好", 2: "不好"}, maxlen=16
    )
    ids, _ = cloze.encode({"a": "早餐", "b": "房间干净" * 9})
    assert len(ids) == 16
    shown = text(tokenizer, ids)
    assert shown == "[CLS]早餐，[MASK][MASK]，" + ("房间干净" * 3)[:8] + "[SEP]"
    assert cloze.words.shape == (2, 2)


@pytest.mark.parametrize(
    ("pattern", "words", "word"),
    [
        ("{a}满意", WORDS, "must have .MASK. and a field"),
        ("[MASK]满意", WORDS, "must have .MASK. and a field"),
        ("[unused9999][MASK]{a}", WORDS, "unused9999"),
        ("[MASK]{a}", {"good": "很", "bad": "不是"}, "'bad' must have 1 known"),
        ("[MASK]{a}", {"good": "很", "bad": "\ue000"}, "'bad' must have 1 known"),
        ("[MASK]{a}", {"good": "很", "bad": "很"}, "same word"),
        ("[MASK]{a}", {"good": "很"}, "two or more"),
    ],
)
def test_mistakes(tokenizer, pattern, words, word):
    with pytest.raises(ValueError, match=word):
        Cloze(tokenizer, pattern, words)


def test_wrong_records(tokenizer):
    cloze = Cloze(tokenizer, "[MASK]{a}", WORDS)
    with pytest.raises(ValueError, match="field 'a'"):
        cloze.encode({"b": "早餐"})
    with pytest.raises(ValueError, match="label 'fine'"):
        cloze.example({"a": "早餐"}, "fine")
