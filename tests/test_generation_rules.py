"""Rules on logits, against plain Python on the same texts."""

import numpy as np
import pytest
from keras import ops

from bert4keras3.generation import (
    Allow,
    CopySpan,
    Forbid,
    Force,
    MinLength,
    NoRepeatNgram,
    RepetitionPenalty,
)
from bert4keras3.generation.logits import HIDDEN, History

SIZE = 7
GENERATOR = np.random.default_rng(0)
LOGITS = GENERATOR.normal(size=(40, SIZE)).astype("float32")
# Short texts over few tokens: n-grams come again.
LENGTHS = GENERATOR.integers(1, 20, 40).astype("int32")
TOKENS = GENERATOR.integers(0, 3, (40, 20)).astype("int32")
STARTS = np.minimum(LENGTHS, GENERATOR.integers(0, 4, 40)).astype("int32")


def applied(rule, step=2):
    """The rule's logits (40, SIZE) for the texts above."""
    tensors = [ops.convert_to_tensor(one) for one in (TOKENS, LENGTHS)]
    step = ops.convert_to_tensor(step, "int32")
    history = History(*tensors, step, ops.convert_to_tensor(STARTS))
    return ops.convert_to_numpy(rule(ops.convert_to_tensor(LOGITS), history))


def texts(with_prompt):
    for tokens, length, start in zip(TOKENS, LENGTHS, STARTS, strict=True):
        yield tokens[0 if with_prompt else start : length].tolist()


@pytest.mark.parametrize("with_prompt", [True, False])
def test_repetition_penalty(with_prompt):
    expected = LOGITS.copy()
    for row, text in zip(expected, texts(with_prompt), strict=True):
        for token in set(text):
            row[token] = row[token] / 1.7 if row[token] > 0 else row[token] * 1.7
    found = applied(RepetitionPenalty(1.7, with_prompt))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("with_prompt", [True, False])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_no_repeat_ngram(size, with_prompt):
    expected, hidden = LOGITS.copy(), 0
    for row, text in zip(expected, texts(with_prompt), strict=True):
        grams = {tuple(text[i : i + size]) for i in range(len(text) - size + 1)}
        for token in range(SIZE):
            last = (*text[len(text) - size + 1 :], token)
            if len(text) >= size - 1 and last in grams:
                row[token] = HIDDEN
                hidden += 1
    assert hidden > 20
    found = applied(NoRepeatNgram(size, with_prompt))
    np.testing.assert_array_equal(found, expected)


def test_rules_of_ids():
    few = [one for one in range(SIZE) if one not in (1, 4)]
    assert (applied(Forbid((1, 4)))[:, [1, 4]] == HIDDEN).all()
    np.testing.assert_array_equal(applied(Forbid((1, 4)))[:, few], LOGITS[:, few])
    np.testing.assert_array_equal(applied(Allow((1, 4)))[:, [1, 4]], LOGITS[:, [1, 4]])
    assert (applied(Allow(few * 3))[:, [1, 4]] == HIDDEN).all()
    forced = Force((2, None, 5))
    for step, token in ((0, 2), (2, 5)):
        assert (applied(forced, step).argmax(-1) == token).all()
    for step in (1, 3, 9):
        np.testing.assert_array_equal(applied(forced, step), LOGITS)
    assert (applied(MinLength(3, 4))[:, 4] == HIDDEN).all()
    np.testing.assert_array_equal(applied(MinLength(2, 4)), LOGITS)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RepetitionPenalty(0), "penalty must be a positive"),
        (lambda: NoRepeatNgram(0), "size must be 1 or more"),
        (lambda: Allow(()), "at least one id"),
        (lambda: applied(Forbid((7,))), r"ids in \[0, 7\)"),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("longest", [32, 2])
def test_copy_span(longest):
    """Against the pieces of the first sentence, listed."""
    tokens = np.zeros((3, 14), "int32")
    # [CLS]=5 a sentence, its end 6, another sentence with its end, then what is new.
    rows = [[5, 0, 1, 0, 2, 6, 3, 6, 0], [5, 1, 2, 6, 6], [5, 0, 1, 1, 6, 0, 6, 1, 1]]
    starts = np.array([8, 5, 7], "int32")
    for row, ids in enumerate(rows):
        tokens[row, : len(ids)] = ids
    lengths = np.array([len(ids) for ids in rows], "int32")
    step = ops.convert_to_tensor(1, "int32")
    tensors = [ops.convert_to_tensor(one) for one in (tokens, lengths)]
    history = History(*tensors, step, ops.convert_to_tensor(starts))
    logits = ops.zeros((3, SIZE))
    found = ops.convert_to_numpy(CopySpan(6, longest)(logits, history)) == 0
    allowed = [set(np.flatnonzero(row).tolist()) for row in found]
    assert allowed == [{1, 2, 6}, {1, 2, 6}, {6}]
