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
    strategy = Sampling(topk=2)
    found = paraphraser(TEXTS, n=12, k=5, strategy=strategy, seed=[3, 4])
    for text, row in zip(TEXTS, found, strict=True):
        sentences, scores = zip(*row, strict=True)
        assert 0 < len(row) <= 5 and len(set(sentences)) == len(row)
        assert list(scores) == sorted(scores, reverse=True)
        vectors = paraphraser.vectors([text, *sentences])
        np.testing.assert_allclose(vectors[1:] @ vectors[0], scores, atol=1e-5)
    # Another number of texts in a batch changes rounding, and nothing else.
    alone = paraphraser(TEXTS[1], n=12, k=5, strategy=strategy, seed=[4])
    assert [one for one, _ in alone] == [one for one, _ in found[1]]


def test_the_text_itself_and_empty_ones_are_no_answer(paraphraser):
    ids = paraphraser.tokenizer.encode("Python 怎么学")[0]
    drawn = ["python怎么学", "", "怎么学", "怎么学", "学"]
    assert paraphraser._others(ids, drawn) == ["怎么学", "学"]


def test_a_model_without_pooler_is_refused(paraphraser):
    model = build("bert", "unilm")
    with pytest.raises(ValueError, match="with_pool='linear'"):
        Paraphraser(model, paraphraser.tokenizer)
