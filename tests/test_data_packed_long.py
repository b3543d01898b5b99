"""Packed batches of two shapes: long texts do not make all rows long."""

import json
from collections import Counter

import numpy as np
import pytest
from test_data_packed import generator, samples

DATA = samples(300) + [
    (([9] * n, [0] * n), 300 + i) for i, n in enumerate((33, 40, 48, 35, 47))
]


def made(**options):
    return generator(DATA, 6, length=(32, 48), **options)


def numbers(batches):
    return [n for _, labels, weights in batches for n in labels[weights > 0].tolist()]


def test_long_texts_have_rows_of_their_own():
    one = made()
    batches = list(one.__iter__(True))
    shapes = Counter(batch[0][0].shape for batch in batches)
    assert set(shapes) == {(6, 32), (4, 48)} and shapes[4, 48] == 2
    assert {batch[0][2].shape[1] for batch in batches} == {one.texts} == {4}
    assert sorted(numbers(batches)) == list(range(305))
    assert numbers(one) == list(range(305))  # in order
    assert 0 <= len(batches) - len(one) <= 2  # as many are not full


def test_a_stream_of_both_goes_on():
    first = made()
    passes, stream = first.recorded(), first.forfit()
    following = [next(stream) for _ in range(60)][25:]
    assert {batch[0][0].shape for batch in following} == {(6, 32), (4, 48)}
    again = made(seed=9)
    again.recorded(json.loads(json.dumps(passes.at(25))))
    for expected, one in zip(following, again.forfit(), strict=False):
        pairs = zip((*one[0], *one[1:]), (*expected[0], *expected[1:]), strict=True)
        for x, y in pairs:
            np.testing.assert_array_equal(x, y)


def test_mistakes():
    with pytest.raises(ValueError, match="49 items.*length=.32, 48"):
        list(generator([(([1] * 49,), 0)], length=(32, 48)))
    for wrong in ((48, 32), (), (1, 2, 3), (0, 4)):
        with pytest.raises(ValueError, match="a pair of such that rises"):
            generator(DATA, length=wrong)
    with pytest.raises(ValueError, match="texts=-1"):
        generator(DATA, texts=-1)
