"""Contrastive search beside its definition on whole texts, without a cache."""

import numpy as np
import pytest
from generation_models import decoder, prompts
from keras import ops

from bert4keras3.backend import runtime
from bert4keras3.generation import ContrastiveSearch, NoRepeatNgram, Sampling

SLOW = pytest.param("t5", marks=pytest.mark.slow)


def logits_and_states(d, source, ids):
    """(V,) of what follows, and unit states (T, E), of one whole text."""
    t, count = d.transformer, len(ids)
    inputs = [np.pad(np.array([ids], "int32"), [[0, 0], [0, 12 - count]])]
    if source is not None:
        inputs.insert(0, np.array([source], "int32"))

    def whole(inputs):
        found = []
        for wanted in ("logits", "states"):
            ctx = t.context(inputs)
            ctx.wanted = wanted
            found.append(t.forward(inputs, ctx))
        return found

    run = d.programs.setdefault("w", runtime.compiled(whole, t.model.variables))
    found = run([ops.convert_to_tensor(one) for one in inputs])
    logits, states = (ops.convert_to_numpy(one)[0, :count] for one in found)
    return logits[-1], states / np.linalg.norm(states, axis=-1, keepdims=True)


def by_definition(d, given, steps, topk, alpha):
    """The ids, and the smallest distance between the best two scores of a step."""
    source = given if d.two_sides else None
    ids = [d.settings.start_id] if d.two_sides else list(given)
    begin, margin = len(ids), np.inf
    for _ in range(steps):
        logits, _ = logits_and_states(d, source, ids)
        shares = np.exp(logits - logits.max())
        shares /= shares.sum()
        best = np.argsort(-shares)[:topk]
        scores = []
        for one in best:
            states = logits_and_states(d, source, [*ids, int(one)])[1]
            alike = (states[:-1] @ states[-1]).max()
            scores.append((1 - alpha) * shares[one] - alpha * alike)
        ordered = np.sort(scores)
        margin = min(margin, ordered[-1] - ordered[-2])
        ids.append(int(best[np.argmax(scores)]))
    return ids[begin:], margin


@pytest.mark.parametrize("case", ["gpt2", SLOW])
def test_definition(case):
    d = decoder(case, maxlen=4)
    given = prompts(d.transformer, longest=7)
    found = d.generate(given, ContrastiveSearch(topk=3, alpha=0.6))
    for prompt, row in zip(given, found, strict=True):
        expected, margin = by_definition(d, prompt, 4, 3, 0.6)
        assert margin > 1e-5  # else rounding decides: take another seed
        assert row[0].ids.tolist() == expected


def test_alpha_zero_is_greedy_and_rows_do_not_meet():
    d = decoder("gpt2", maxlen=6, end_id=(7, 15))
    given = prompts(d.transformer, longest=7)
    greedy = [row[0].ids.tolist() for row in d.generate(given)]
    found = [
        row[0].ids.tolist() for row in d.generate(given, ContrastiveSearch(3, 0.0))
    ]
    assert found == greedy
    strategy = ContrastiveSearch(3, 0.9)
    whole = [row[0].ids.tolist() for row in d.generate(given, strategy)]
    alone = [d.generate([one], strategy)[0][0].ids.tolist() for one in given]
    assert whole == alone and whole != greedy


def test_rules_hold():
    d = decoder("gpt2", maxlen=8)
    rules = [NoRepeatNgram(1)]
    ids = d.generate([[3, 4]], ContrastiveSearch(3, 0.1), rules=rules)[0][0].ids
    assert len(set(ids.tolist())) == 8


def test_refused():
    d = decoder("gpt2", maxlen=4)
    with pytest.raises(ValueError, match=r"alpha in \[0, 1\]"):
        ContrastiveSearch(alpha=2)
    with pytest.raises(ValueError, match="fewer texts"):
        d.generate([[3]], ContrastiveSearch(), n=2)
    with pytest.raises(ValueError, match="cannot stream"):
        list(d.stream([3], ContrastiveSearch()))
    whole = [3] * (d.model.position_limit - 3)
    d.generate([whole], Sampling())  # the last token is not read here
    with pytest.raises(ValueError, match="positions"):
        d.generate([whole], ContrastiveSearch())
