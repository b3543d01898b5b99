"""Similar sentences: drawn, without repeats, ranked by cosine."""

import numpy as np
import pytest
from tiny_models import build

from bert4keras3.generation import Paraphraser, Sampling
from bert4keras3.tokenizers import Tokenizer

TEXTS = ["今天天气很好", "Python 怎么学"]


@pytest.fixture(scope="module")
def paraphraser():
    tokenizer = Tokenizer("zh-tiny", do_lower_case=True)
    size = tokenizer._vocab_size
    model = build("bert", "unilm", with_pool="linear", vocab_size=size)
    return Paraphraser(model, tokenizer, maxlen=8)


def test_best_first_without_repeats(paraphraser):
    text, draw = TEXTS[1], {"n": 12, "strategy": Sampling(topk=2), "seed": [4]}
    row = paraphraser(text, k=5, **draw)
    sentences, scores = zip(*row, strict=True)
    assert 0 < len(row) <= 5 and len(set(sentences)) == len(row)
    assert list(scores) == sorted(scores, reverse=True)
    vectors = paraphraser.vectors([text, *sentences])
    np.testing.assert_allclose(vectors[1:] @ vectors[0], scores, atol=1e-5)
    assert paraphraser([text], k=2, **draw) == [row[:2]]


def test_every_text_is_ranked_with_its_own(paraphraser):
    drawn = [["天气不错", "你好", "今天天气"], ["怎么学", "python好学吗"]]
    found = paraphraser._ranked(TEXTS, drawn, k=2)
    for text, own, row in zip(TEXTS, drawn, found, strict=True):
        vectors = paraphraser.vectors([text, *own])
        cosines = vectors[1:] @ vectors[0]
        order = np.argsort(-cosines)[:2]
        assert [one for one, _ in row] == [own[i] for i in order]
        np.testing.assert_allclose([x for _, x in row], cosines[order], atol=1e-5)


def test_the_text_itself_and_empty_ones_are_no_answer(paraphraser):
    ids = paraphraser.tokenizer.encode("Python 怎么学")[0]
    drawn = ["python怎么学", "", "怎么学", "怎么学", "学"]
    assert paraphraser._others(ids, drawn) == ["怎么学", "学"]


def test_a_model_without_pooler_is_refused(paraphraser):
    model = build("bert", "unilm")
    with pytest.raises(ValueError, match="with_pool='linear'"):
        Paraphraser(model, paraphraser.tokenizer)
