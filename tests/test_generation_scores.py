"""Streaming gives the tokens of `generate`; scores are those of the whole text."""

import numpy as np
import pytest
from generation_models import decoder, full_logits, prompts

from bert4keras3.generation import BeamSearch, Sampling

SLOW = (pytest.param(case, marks=pytest.mark.slow) for case in ("gpt2", "t5"))
MAIN = ("bert-unilm", *SLOW)


@pytest.mark.parametrize("case", MAIN)
def test_streamed_tokens_are_those_of_generate(case):
    d = decoder(case, end_id=(7, 15))
    given = prompts(d.transformer)[1]
    strategy = Sampling(topk=9)
    expected = d.generate([given], strategy, seed=4)[0][0].ids.tolist()
    assert list(d.stream(given, strategy, seed=4)) == expected


def test_streaming_compiles_once():
    d = decoder("bert-lm")
    given = prompts(d.transformer)
    list(d.stream(given[1]))
    before = d.compilations
    list(d.stream(given[0], seed=3))
    assert d.compilations == before or d.buckets is None


@pytest.mark.parametrize("case", MAIN)
def test_log_prob_is_that_of_the_whole_text(case):
    d = decoder(case)
    given = prompts(d.transformer)
    answers = np.random.default_rng(2).integers(2, d.model.vocab_size, (3, 4))
    logits = full_logits(d, given, answers.astype("int32"))[:, :-1]
    logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    expected = np.take_along_axis(logs, answers[..., None], axis=-1)[..., 0]
    found = d.token_log_probs(given, answers.tolist())
    np.testing.assert_allclose(np.array(found), expected, atol=1e-4)
    np.testing.assert_allclose(
        d.log_prob(given, answers.tolist()), expected.sum(1), atol=1e-4
    )


def test_beam_score_is_the_log_prob_of_the_text():
    d = decoder("bert-unilm")
    given = prompts(d.transformer)
    found = [row[0] for row in d.generate(given, BeamSearch(3))]
    expected = d.log_prob(given, [one.ids.tolist() for one in found])
    np.testing.assert_allclose([one.score for one in found], expected, atol=1e-4)


def test_perplexity():
    d = decoder("gpt2")
    text = prompts(d.transformer)[2]
    (logs,) = d.token_log_probs([text[:1]], [text[1:]])
    assert d.perplexity([text])[0] == pytest.approx(np.exp(-logs.mean()), rel=1e-5)


def test_errors():
    d = decoder("gpt2")
    with pytest.raises(ValueError, match="cannot stream"):
        list(d.stream([3], BeamSearch(2)))
    with pytest.raises(ValueError, match="as many answers"):
        d.log_prob([[3]], [[]])
