"""Packed rows of masked language models: where texts begin, and what has no place."""

import numpy as np
from pretraining_corpus import counting_shards, rows

from bert4keras3.pretraining import MaskedLM, PretrainingData


def test_packed_rows(tmp_path):
    folder = counting_shards(tmp_path / "s", [[3], [2], [4, 2], [3]])
    data = PretrainingData(folder, MaskedLM(0.5, packed=True, texts=3), 1, 10)
    stream = data.shards.windows([4], 10)
    (shown, segments, starts), labels, weights = rows(
        data.shards, data.objective, [4], 10
    )
    expected, begins = [], []
    for i, token in enumerate(stream[0][0].tolist()):
        if i == 0 or stream[1][0, i] & 4:
            begins.append(len(expected))
            expected.append(2)
        expected.append(token)
    expected = [*expected[:9], 3]
    begins = [b for b in begins if b < 10]
    assert labels.tolist() == [expected] and segments.shape == shown.shape
    assert starts.tolist() == [(begins + [10] * 3)[:3]]
    assert not weights[labels <= 4].any() and starts.dtype == np.int32


def test_texts_without_a_place_become_padding(tmp_path):
    folder = counting_shards(tmp_path / "s", [[1]] * 20)
    data = PretrainingData(folder, MaskedLM(0.9, packed=True, texts=2), 1, 12)
    (shown, _, starts), labels, weights = data.batch(0)
    third = np.flatnonzero(labels[0] == 2)[2:3]
    assert starts.shape == (1, 2) and len(third) == 0
    beyond = int(np.flatnonzero(labels[0] == 3)[1]) + 1
    assert not labels[0, beyond:].any() and not shown[0, beyond:].any()
    assert not weights[0, beyond:].any() and labels[0, :beyond].all()
