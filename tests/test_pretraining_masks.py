"""Masked language models: hidden tokens by hand, and by statistics of a million."""

import numpy as np
import pytest
from pretraining_corpus import random_shards, vocabulary

from bert4keras3.pretraining import MaskedLM, PretrainingData, TokenShards
from bert4keras3.pretraining.shards import CONTINUES, SPECIAL

SIZE, LENGTH, MASK = 1000, 128, 4


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    return TokenShards(random_shards(tmp_path_factory.mktemp("c") / "s", 1_100_000))


def near(found, total, rate):
    """Whether a count is within five standard deviations of the binomial law."""
    return abs(found - total * rate) < 5 * np.sqrt(total * rate * (1 - rate))


def part(share):
    return int(share * 2**64)


def test_a_row_by_hand():
    ids = np.array([[2, 7, 8, 9, 6, 3]], "int32")
    flags = np.array([[SPECIAL, 0, CONTINUES, 0, 0, SPECIAL]], "uint8")
    # [CLS], a word of two tokens (its own number counts), two single tokens, [SEP].
    chance = [0, part(0.1), part(0.9) + (1 << 31), part(0.2), part(0.149), 0]
    kinds = [0, part(0.79), part(0.91), 0, part(0.85), 0]
    noise = np.array([chance + kinds], "uint64")
    shown, hidden = MaskedLM().hide(ids, flags, noise, vocabulary(15))
    assert hidden.tolist() == [[False, True, True, False, True, False]]
    # Random: the sixth of the ten ids that are not special. 6 was hidden and stays.
    low = chance[2] & 0xFFFFFFFF
    assert shown.tolist() == [[2, 4, 5 + (low * 10 >> 32), 9, 6, 3]]
    alone = MaskedLM(whole_word=False).hide(ids, flags, noise, vocabulary(15))[1]
    assert alone.tolist() == [[False, True, False, False, True, False]]


def drawn(shards, objective, steps=None, **options):
    """Shown and original ids, and what is hidden, of an epoch: (N, T) each."""
    data = PretrainingData(shards, objective, 512, LENGTH, **options)
    batches = [data.batch(i) for i in range(steps or len(data))]
    shown = np.concatenate([x[0] for x, _, _ in batches])
    ids = np.concatenate([y for _, y, _ in batches])
    return shown, ids, np.concatenate([w for _, _, w in batches]) > 0


@pytest.mark.parametrize("rate", [0.15, 0.4])
def test_statistics_of_a_million_tokens(shards, rate):
    shown, ids, hidden = drawn(shards, MaskedLM(rate, whole_word=False))
    assert ids.size > 1_000_000
    text = ids > MASK
    assert not hidden[~text].any() and (shown[~hidden] == ids[~hidden]).all()
    assert near(hidden.sum(), text.sum(), rate)
    count, kept = hidden.sum(), (shown == ids)[hidden].sum()
    assert near((shown == MASK)[hidden].sum(), count, 0.8)
    others = shown[hidden & (shown != MASK) & (shown != ids)]
    # A random id is the original one in 1 of 995 draws.
    assert near(len(others), count, 0.1 * 994 / 995)
    assert near(kept, count, 0.1 + 0.1 / 995)
    assert others.min() == MASK + 1 and others.max() == SIZE - 1
    found = np.bincount(others, minlength=SIZE)[MASK + 1 :]
    expected = len(others) / 995
    squares = ((found - expected) ** 2 / expected).sum()
    assert abs(squares - 994) < 5 * np.sqrt(2 * 994)
    # Places of a row, and rows, are hidden alike.
    assert all(
        near(h, t, rate)
        for h, t in zip(hidden.sum(0), text.sum(0), strict=True)
        if t > 1000
    )


def test_whole_words_of_a_million_tokens(shards):
    data = PretrainingData(shards, MaskedLM(), 512, LENGTH)
    words = hidden_words = tokens = 0
    for step in range(len(data)):
        (_, _), ids, weights = data.batch(step)
        positions = positions_of(data, step)
        flags = shards.windows(positions, LENGTH - 2)[1]
        np.testing.assert_array_equal(
            ids[:, 1:-1], shards.windows(positions, LENGTH - 2)[0]
        )
        hidden, text = weights[:, 1:-1] > 0, flags & SPECIAL == 0
        goes_on = (flags & CONTINUES > 0)[:, 1:]
        assert (hidden[:, 1:] == hidden[:, :-1])[goes_on].all()
        begins = text & np.c_[np.ones(len(flags), bool), ~goes_on]
        words += begins.sum()
        hidden_words += (begins & hidden).sum()
        tokens += text.sum()
    assert tokens > 1_000_000 and tokens > 1.5 * words
    assert near(hidden_words, words, 0.15)


def positions_of(data, step):
    """The places that a batch's rows are made of."""
    seen = []

    class Spy(MaskedLM):
        def batch(self, shards, positions, noise, length):
            seen.append(positions)
            return ()

    PretrainingData(data.shards, Spy(), data.batch_size, data.length).batch(step)
    return seen[0]


def test_every_epoch_has_masks_of_its_own(shards):
    first = drawn(shards, MaskedLM(), steps=1)
    data = PretrainingData(shards, MaskedLM(), 512, LENGTH)
    _, ids, weights = data.batch(len(data))
    assert ids[0].tolist() not in first[1].tolist()  # rows begin at other places
    other = drawn(shards, MaskedLM(), steps=1, seed=1)
    assert (first[1] != other[1]).any() and (first[2] != other[2]).any()


def test_mistakes_are_errors(tmp_path, shards):
    for options in ({"rate": 0}, {"rate": 1.0}, {"texts": 0}):
        with pytest.raises(ValueError, match="must be"):
            MaskedLM(**options)
    with pytest.raises(ValueError, match="length must be at least 4"):
        PretrainingData(shards, MaskedLM(), 1, 3)
    shards.vocabulary._replace(mask=None)
    with pytest.raises(ValueError, match="no mask token"):
        MaskedLM().plan(16, vocabulary(10)._replace(mask=None))
