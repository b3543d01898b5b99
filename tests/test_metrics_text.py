"""Scores of generated texts: ROUGE of characters and BLEU."""

import sys

import pytest

from bert4keras3.metrics import text_scores


def test_values_by_hand():
    pytest.importorskip("rouge_chinese")
    pytest.importorskip("sacrebleu")
    names = {"rouge-l", "rouge-1", "rouge-2", "bleu"}
    same = text_scores(["水稻病害 BERT"], ["水稻病害 bert"])
    assert set(same) == names
    assert min(same.values()) == pytest.approx(100, abs=0.1)
    # Of 4 and 6 characters 4 are common, of 3 and 5 pairs 1: F = 2 n / (a + b).
    found = text_scores(["今天下雨"], ["今天要下大雨"])
    assert found["rouge-1"] == pytest.approx(80, abs=0.1)
    assert found["rouge-2"] == pytest.approx(25, abs=0.1)


def test_an_empty_text_counts_nothing():
    pytest.importorskip("rouge_chinese")
    pytest.importorskip("sacrebleu")
    found = text_scores(["水稻病害识别", " "], ["水稻病害识别", "风力发电"])
    assert found["rouge-1"] == pytest.approx(50, abs=0.1)
    assert text_scores([""], ["风力发电"])["rouge-l"] == 0
    text_scores(["。", "\n甲。乙"], ["甲", "乙"])  # sentences of nothing


def test_refusals(monkeypatch):
    pytest.importorskip("rouge_chinese")
    with pytest.raises(ValueError, match="2 texts, 1 references"):
        text_scores(["甲", "乙"], ["丙"])
    with pytest.raises(ValueError, match=r"empty ones at \[1\]"):
        text_scores(["甲", "乙"], ["丙", ""])
    monkeypatch.setitem(sys.modules, "rouge_chinese", None)
    with pytest.raises(ImportError, match=r"pip install \"bert4keras3\[scores\]\""):
        text_scores(["甲"], ["乙"])
