"""Viterbi decoding of batches in numpy: every path tried, masks, limits, errors."""

import numpy as np
import pytest
from chain_helpers import chain_scores, every_path

from bert4keras3.utils import viterbi
from bert4keras3.utils.viterbi import ViterbiDecoder

LABELS, STEPS = 3, 5
PATHS = every_path(STEPS, LABELS)


def drawn(rows, seed=0):
    rng = np.random.default_rng(seed)
    nodes = rng.normal(0, 2, (rows, STEPS, LABELS)).astype("float32")
    return nodes, rng.normal(0, 2, (LABELS, LABELS)).astype("float32")


@pytest.mark.parametrize("rows", [1, 40, viterbi.ROWS + 3])
def test_equals_brute_force_under_any_mask(rows):
    nodes, trans = drawn(rows)
    mask = np.random.default_rng(1).random((rows, STEPS)) < 0.7
    given = nodes.copy()
    found = ViterbiDecoder(trans, starts=[0, 2], ends=[0, 1]).decode_batch(nodes, mask)
    np.testing.assert_array_equal(nodes, given)
    assert found.shape == (rows, STEPS) and found.dtype == "int32"
    for row in range(min(rows, 60)):
        real = mask[row]
        assert (found[row][~real] == -1).all()
        if real.sum() < 2:
            continue
        paths = PATHS[:, real]
        allowed = np.isin(paths[:, 0], [0, 2]) & np.isin(paths[:, -1], [0, 1])
        scores = np.where(
            allowed, chain_scores(PATHS, nodes[row], trans, real), -np.inf
        )
        np.testing.assert_array_equal(found[row][real], paths[scores.argmax()])


def test_lengths_are_a_mask_and_rows_are_independent():
    nodes, trans = drawn(6)
    lengths = np.array([5, 3, 1, 0, 4, 5])
    decoder = ViterbiDecoder(trans, starts=[1])
    found = decoder.decode_batch(nodes, lengths=lengths)
    mask = np.arange(STEPS) < lengths[:, None]
    np.testing.assert_array_equal(found, decoder.decode_batch(nodes, mask))
    for row, length in enumerate(lengths):
        alone = decoder.decode(nodes[row, :length])
        assert alone.dtype == "int64"
        np.testing.assert_array_equal(found[row, :length], alone)
        assert (found[row, length:] == -1).all()


def test_transitions_may_come_later():
    nodes, trans = drawn(4)
    decoder = ViterbiDecoder(np.zeros((LABELS, LABELS)))
    np.testing.assert_array_equal(decoder.decode_batch(nodes), nodes.argmax(-1))
    decoder.trans = trans
    known = ViterbiDecoder(trans).decode_batch(nodes)
    np.testing.assert_array_equal(decoder.decode_batch(nodes), known)
    assert (known != nodes.argmax(-1)).any()


def test_forbidden_and_whole_scores():
    trans = np.zeros((2, 2))
    trans[0, 1] = trans[1, 0] = -np.inf
    nodes = np.array([[[5, 0], [0, 3], [0, 3]]])
    found = ViterbiDecoder(trans).decode_batch(nodes)
    np.testing.assert_array_equal(found, [[1, 1, 1]])
    found = ViterbiDecoder(trans, starts=[0]).decode_batch(nodes)
    np.testing.assert_array_equal(found, [[0, 0, 0]])


def test_long_sequences_keep_their_precision():
    """A difference of 1e-3 counts after scores that add up to 200 000."""
    nodes = np.full((1, 2000, 2), 100.0, "float32")
    nodes[0, -1, 1] += 1e-3
    found = ViterbiDecoder(np.zeros((2, 2), "float32")).decode_batch(nodes)
    assert found[0, -1] == 1


def test_nothing_to_decode():
    decoder = ViterbiDecoder(np.zeros((2, 2)))
    assert decoder.decode(np.zeros((0, 2))).shape == (0,)
    assert decoder.decode_batch(np.zeros((0, 3, 2))).shape == (0, 3)
    assert decoder.decode_batch(np.zeros((3, 0, 2))).shape == (3, 0)


@pytest.mark.parametrize(
    "arguments, match",
    [
        ((np.zeros((4, 2)),), "must have shape"),
        ((np.zeros((1, 4, 3)),), "must have shape"),
        ((np.zeros((1, 4, 2)), np.ones((1, 3))), "mask must have shape"),
        ((np.zeros((1, 4, 2)), None, [5]), "lengths must hold"),
        ((np.zeros((1, 4, 2)), None, [-1]), "lengths must hold"),
        ((np.zeros((1, 4, 2)), np.ones((1, 4)), [4]), "Received both"),
    ],
)
def test_bad_input(arguments, match):
    with pytest.raises(ValueError, match=match):
        ViterbiDecoder(np.zeros((2, 2))).decode_batch(*arguments)


@pytest.mark.parametrize("bad", [[2], [-1], []])
def test_bad_limits(bad):
    with pytest.raises(ValueError, match="starts must hold labels from 0 to 1"):
        ViterbiDecoder(np.zeros((2, 2)), starts=bad)
