"""Decoding with a cache gives the logits of the whole text, for every family."""

import numpy as np
import pytest
from generation_models import CASES, decoder, full_logits, prompts
from keras import ops

from bert4keras3.backend import runtime


def cached_logits(d, given, answers):
    """Logits (B, N + 1, V) of a ragged batch, its answers read one token at a time."""

    def read(batch, answers):
        start, step, _ = d.start(batch, 8, answers.shape[1])
        logits, state = [start.logits], start.state
        for i in range(answers.shape[1]):
            one, state = step(answers[:, i], i, state)
            logits.append(one)
        return ops.stack(logits, axis=1)

    keys = np.zeros(len(given), "int32")
    chosen = [d.prompt(one, d.settings) for one in given]
    batch = d.batch(chosen, list(range(len(given))), keys, settings=d.settings)
    batch = d.tensors(batch)
    rows = len(batch["lengths"])  # the last prompt once more, up to a power of two
    answers = answers[np.minimum(np.arange(rows), len(given) - 1)]
    run = runtime.compiled(read, d.transformer.model.variables)
    logits = run(batch, ops.convert_to_tensor(answers))
    return ops.convert_to_numpy(logits)[: len(given)]


QUICK = "bert-unilm nezha-lm gau_alpha-lm llama t5_pegasus".split()
EVERY = [
    case if case in QUICK else pytest.param(case, marks=pytest.mark.slow)
    for case in CASES
]


@pytest.mark.parametrize("case", EVERY)
def test_cached_logits_are_those_of_the_whole_text(case):
    d = decoder(case)
    given = prompts(d.transformer)
    answers = np.random.default_rng(3).integers(2, d.model.vocab_size, (3, 3))
    answers = answers.astype("int32")
    found = cached_logits(d, given, answers)
    expected = full_logits(d, given, answers)
    np.testing.assert_allclose(found, expected, atol=1e-4, rtol=1e-4)
    assert np.std(expected) > 0.1
