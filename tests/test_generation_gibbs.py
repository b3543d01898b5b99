"""Gibbs sampling draws from the model's conditional probabilities."""

import numpy as np
import pytest
from keras import ops
from tiny_models import build

from bert4keras3.generation import GibbsSampler, Sampling
from bert4keras3.tokenizers import Tokenizer

TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"今天气很好我想去学校"]
SIZE = len(TOKENS)


def sampler(family="bert"):
    t = build(family, vocab_size=SIZE, with_mlm=True)
    return GibbsSampler(t, Tokenizer({one: i for i, one in enumerate(TOKENS)}))


@pytest.mark.parametrize("family", ["bert", "nezha", "gau_alpha"])
def test_a_step_draws_from_the_conditional_probabilities(family):
    gibbs, chains, place = sampler(family), 3000, 2
    ids = [2, 5, 6, 8, 3]
    found = gibbs([ids] * chains, steps=1, free=[[place]] * chains, seed=1)
    counts = np.zeros(SIZE)
    for text in found:
        counts[TOKENS.index(text[1])] += 1
        assert (text[0], text[2]) == (TOKENS[5], TOKENS[8])
    inputs = [np.array([[4 if i == place else x for i, x in enumerate(ids)]])]
    if gibbs.transformer.segment_vocab_size:
        inputs.append(np.zeros_like(inputs[0]))
    outputs = gibbs.transformer.model(inputs)
    p = ops.convert_to_numpy(outputs)[0, place].astype("float64")
    p[list(gibbs.forbidden)] = 0
    expected = p / p.sum() * chains
    known = expected > 5
    chi = ((counts - expected)[known] ** 2 / expected[known]).sum()
    assert chi < 30  # 99.9% quantile of chi-square with 10 degrees of freedom
    assert counts[~(expected > 0)].sum() == 0


def test_chains_snapshots_and_seeds():
    gibbs = sampler()
    texts = ["今天很好", 6, "我想去学校"]
    once = gibbs(texts, steps=12, seed=[3, 4, 5])
    assert [len(one) for one in once] == [4, 6, 5]
    assert gibbs(texts[:1], steps=12, seed=[3]) == once[:1]
    parts = gibbs(texts, steps=12, every=4, seed=[3, 4, 5])
    assert [len(one) for one in parts] == [3, 3, 3]
    assert [one[-1] for one in parts] == once
    assert len(gibbs.programs) == 1
    gibbs([3], steps=2, strategy=Sampling(topk=2))
    assert len(gibbs.programs) == 2


def test_errors():
    with pytest.raises(ValueError, match="with_mlm=True"):
        GibbsSampler(build("bert"), None)
    with pytest.raises(ValueError, match="no place that may change"):
        sampler()([[2, 5, 3]], free=[[]])
