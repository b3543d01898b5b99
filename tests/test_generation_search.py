"""Search over texts: exact draws, found optima, kept constraints, same seeds."""

import itertools

import numpy as np
import pytest
from keras import ops
from tiny_models import build

from bert4keras3.generation import (
    Greedy,
    Sampling,
    TextSearch,
    keyword_array,
    occurs,
    pseudo_likelihood,
)
from bert4keras3.generation.logits import HIDDEN
from bert4keras3.tokenizers import Tokenizer

TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"今天气很好我想去学校"]
SIZE = len(TOKENS)
TOKENIZER = Tokenizer({one: i for i, one in enumerate(TOKENS)})


def search(score, **options):
    t = build("bert", vocab_size=SIZE, with_mlm=True)
    return TextSearch(t, TOKENIZER, score, **options)


def weighted(ids, lengths):
    """Prefers some characters, and texts of two."""
    likes = ops.convert_to_tensor(0.6 * np.cos(np.arange(SIZE) * 2.0), "float32")
    real = ops.expand_dims(ops.arange(ops.shape(ids)[1]), 0) < lengths[:, None] - 1
    real = ops.logical_and(real, ids > 4)
    place = 1.0 + 0.5 * ops.cast(ops.arange(ops.shape(ids)[1]), "float32")
    total = ops.sum(ops.where(real, ops.take(likes, ids) * place, 0.0), axis=1)
    return total + 0.7 * ops.cast(lengths == 4, "float32")


TOPK = pytest.param(Sampling(5.0, topk=2), marks=pytest.mark.slow)


@pytest.mark.parametrize("strategy", [Sampling(5.0), TOPK], ids=str)
def test_draws_are_exact(strategy):
    """All texts of one or two of three characters, against their probabilities."""
    chains, letters = 1000, [5, 6, 7]
    found = search(weighted).sample(
        [[2, 5, 3]] * chains,
        steps=120,
        maxlen=2,
        moves=(2, 1, 2),
        allowed=[letters] * chains,
        strategy=strategy,
        seed=3,
    )
    texts = [one for n in (1, 2) for one in itertools.product(letters, repeat=n)]
    drawn = [one.text for one in found]
    counts = np.array([drawn.count("".join(TOKENS[i] for i in one)) for one in texts])
    assert counts.sum() == chains
    rows = np.array([[2, *one, 3, 0][:4] for one in texts], "int32")
    lengths = np.array([len(one) + 2 for one in texts], "int32")
    scores = weighted(ops.convert_to_tensor(rows), ops.convert_to_tensor(lengths))
    p = np.exp(ops.convert_to_numpy(scores).astype("float64"))
    # What the two best tokens of each place do not lead to is left out, exactly.
    reached = np.ones(12, bool) if strategy.topk is None else counts > 0
    assert reached.sum() >= 5
    expected = p[reached] / p[reached].sum() * chains
    assert expected.min() > 5
    chi = ((counts[reached] - expected) ** 2 / expected).sum()
    assert chi < 31.3  # 99.9% quantile of chi-square with 11 degrees of freedom


def keeps(ids, lengths, keywords, likes):
    """Keywords stay, at any price; then liked tokens."""
    missing = ops.sum(ops.cast(~occurs(ids, keywords), "float32"), axis=1)
    return HIDDEN * missing + ops.sum(
        ops.cast(ids == likes[:, None], "float32"), axis=1
    )


def test_annealing_finds_the_optimum_and_keeps_keywords():
    texts, words = ["今天好", "学校", "气"], [["今天"], ["学校", "校"], []]
    maxlen, likes = [6, 8, 5], np.array([5, 8, 10], "int32")
    finder = search(keeps)
    data = {"keywords": keyword_array(TOKENIZER, words), "likes": likes}
    options = {"steps": 300, "maxlen": maxlen, "data": data, "seed": [7, 8, 9]}
    options["strategy"] = Sampling(99.0)  # the tiny model's own taste is strong
    allowed = [[5, 6, 7], [8, 13, 14], [7, 9, 10]]
    found = finder.anneal(texts, start=2.0, end=0.05, allowed=allowed, **options)
    assert [one.best_score for one in found] == [5, 6, 5]
    for one, most, row in zip(found, maxlen, words, strict=True):
        assert 1 <= len(one.best) <= most and 1 <= len(one.text) <= most
        assert all(word in one.text and word in one.best for word in row)
        assert 0 < one.accepted <= 300 and one.score <= one.best_score
    # The batch, its buffers and its order change nothing for a chain of its own seed.
    one = {name: array[2:] for name, array in data.items()}
    options |= {"maxlen": 5, "data": one, "seed": [9]}
    alone = finder.anneal(
        texts[2:], start=2.0, end=0.05, allowed=allowed[2:], **options
    )
    assert alone == found[2:]
    assert len(finder.programs) == 1


def test_a_seed_means_the_same_on_every_backend():
    t = build("bert", vocab_size=SIZE, with_mlm=True)
    finder = TextSearch(t, TOKENIZER, pseudo_likelihood(t, TOKENIZER))
    found = finder.sample(["今天天气好", 3], steps=25, minlen=2, maxlen=6, seed=1)
    assert [one.text for one in found] == STORED
    assert found == finder.sample(
        ["今天天气好", 3], steps=25, minlen=2, maxlen=6, seed=1
    )


STORED = ["天学校去想气", "气很学"]


def test_errors():
    with pytest.raises(ValueError, match="TextSearch needs an encoder"):
        TextSearch(build("bert"), TOKENIZER, weighted)
    finder = search(weighted)
    cases = {
        "minlen to maxlen": {"maxlen": 2},
        "0 to 32 of them, and minlen 1": {"minlen": 0},
        "more than the model": {"maxlen": 99},
        "three weights": {"moves": (1, 1)},
        "do neither": {"moves": (1, 1, 0)},
        r"Sampling\(\.\.\.\)": {"strategy": Greedy()},
        "no id that may be drawn": {"maxlen": 8, "allowed": [[0]]},
        "allowed must have": {"maxlen": 8, "allowed": [[5], [6]]},
        "a row for each of 1 chains": {"maxlen": 8, "data": {"likes": 3}},
    }
    for match, options in cases.items():
        with pytest.raises(ValueError, match=match):
            finder.sample(["今天好"], steps=1, **options)
    with pytest.raises(ValueError, match="Temperatures must be positive"):
        finder.anneal(["今天好"], steps=1, end=0.0)
    with pytest.raises(ValueError, match="a number per chain"):
        search(lambda ids, lengths: ids).sample(["今天好"], steps=1, maxlen=8)
    with pytest.raises(ValueError, match=r"NaN for the texts of chains \[0\]"):
        nothing = search(lambda ids, lengths: ops.full(ops.shape(lengths), np.nan))
        nothing.anneal(["今天好"], steps=1, maxlen=8)
    assert finder.anneal([]) == []
