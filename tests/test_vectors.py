"""Sentence vectors, the search among them, and noise on the words of a source."""

import keras
import numpy as np
import pytest
from tiny_models import build

from bert4keras3.tokenizers import Tokenizer
from bert4keras3.utils import vectors as module
from bert4keras3.utils.corruption import mask_words, word_ids
from bert4keras3.utils.vectors import most_similar, sentence_vectors

TEXTS = ["今天天气很好", "你好", "科学技术是第一生产力，这句话说得对"]


def test_search_finds_what_sorting_finds(monkeypatch):
    generator = np.random.default_rng(0)
    # Whole numbers, so that there are many equals.
    queries = generator.integers(-2, 3, (7, 3)).astype("float32")
    corpus = generator.integers(-2, 3, (40, 3)).astype("float32")
    monkeypatch.setattr(module, "BLOCK", 100)  # blocks of two queries
    numbers, scores = most_similar(queries, corpus, 6)
    order = np.argsort(-(queries @ corpus.T), axis=-1, kind="stable")[:, :6]
    np.testing.assert_array_equal(numbers, order)
    np.testing.assert_array_equal(
        scores, np.take_along_axis(queries @ corpus.T, order, -1)
    )
    assert most_similar(queries, corpus[:2], 6)[0].shape == (7, 2)
    assert most_similar(queries[:0], corpus, 6)[0].shape == (0, 6)


@pytest.mark.parametrize(
    "queries, corpus, k, message",
    [
        (np.ones((2, 3)), np.ones((2, 4)), 1, "Received: shapes"),
        (np.ones((2, 3)), np.ones((0, 3)), 1, "at least one row"),
        (np.ones((2, 3)), np.ones((2, 3)), 0, "k must be at least 1"),
        (np.full((2, 3), np.nan), np.ones((2, 3)), 1, "with NaN"),
    ],
)
def test_search_refuses(queries, corpus, k, message):
    with pytest.raises(ValueError, match=message):
        most_similar(queries, corpus, k)


def test_vectors_are_those_of_the_model_one_by_one():
    tokenizer = Tokenizer("zh-tiny", do_lower_case=True)
    size = tokenizer._vocab_size
    model = build(with_pool="linear", with_mlm=True, vocab_size=size).model
    with pytest.raises(ValueError, match="one output"):
        sentence_vectors(model, tokenizer, TEXTS)
    encoder = keras.Model(model.inputs, model.outputs[0])
    found = sentence_vectors(encoder, tokenizer, TEXTS, maxlen=8, batch_size=2)
    for text, vector in zip(TEXTS, found, strict=True):
        ids, segments = tokenizer.encode(text, maxlen=8)
        alone = encoder([np.array([ids]), np.array([segments])])
        alone = keras.ops.convert_to_numpy(alone)[0]
        np.testing.assert_allclose(vector, alone / np.linalg.norm(alone), atol=2e-5)
    assert sentence_vectors(encoder, tokenizer, []).shape == (0, found.shape[1])


IDS = np.random.default_rng(0).integers(1000, 2000, (2000, 20))
WORDS = np.tile([-1, *np.repeat(np.arange(6), 3), -1], (2000, 1))


def test_noise_has_the_shares_it_promises():
    noisy = mask_words(IDS, WORDS, np.random.default_rng(1), 4, 1000)
    again = mask_words(IDS, WORDS, np.random.default_rng(1), 4, 1000)
    np.testing.assert_array_equal(noisy, again)
    inner = noisy[:, 1:-1].reshape(-1, 6, 3)
    same = inner == IDS[:, 1:-1].reshape(-1, 6, 3)
    masked = inner == 4
    assert 0.14 * 0.8 < masked.mean() < 0.16 * 0.8
    # Random ids are below those of the text; one in a thousand is the mask.
    assert 0.014 < (~same & ~masked).mean() < 0.016
    assert not (inner[~same] >= 1000).any() and inner.min() >= 1
    # Whole words: if one token of a word is masked, mostly the others are.
    touched = masked.any(-1)
    assert masked[touched].mean() > 0.75
    np.testing.assert_array_equal(noisy[:, [0, -1]], IDS[:, [0, -1]])


def test_a_share_of_the_rows_is_changed():
    generator = np.random.default_rng(2)
    noisy = mask_words(IDS, WORDS, generator, 4, 1000, rate=0.9, share=0.5)
    assert 0.46 < (noisy != IDS).any(-1).mean() < 0.54
    untouched = mask_words(IDS, WORDS, generator, 4, 1000, share=0.0)
    np.testing.assert_array_equal(untouched, IDS)
    with pytest.raises(ValueError, match="same shape"):
        mask_words(IDS, WORDS[:, 1:], generator, 4, 1000)
    with pytest.raises(ValueError, match=r"in \[0, 1\].*rate=15"):
        mask_words(IDS, WORDS, generator, 4, 1000, rate=15)


def test_tokens_know_their_words():
    tokenizer = Tokenizer("zh-tiny", do_lower_case=True)
    ids, words = word_ids(tokenizer, ["今天", "天气", "好"])
    assert ids == tokenizer.encode("今天天气好")[0]
    assert words == [-1, 0, 0, 1, 1, 2, -1]
    assert word_ids(tokenizer, ["今天", "天气"], maxlen=5)[1] == [-1, 0, 0, 1, -1]
