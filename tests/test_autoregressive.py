"""AutoRegressiveDecoder on a Python `predict`: the recordings of the original."""

import numpy as np
import pytest
from toy_decoders import END, LOGITS, RECORDED, scores_of, softmax, toy

from bert4keras3.snippets import AutoRegressiveDecoder


def inputs_of(case):
    return [np.array([case["input"]])]


def test_beam_search_equals_every_recording():
    for case in RECORDED["beam_search"]:
        options = {key: case[key] for key in ("topk", "temperature", "min_ends")}
        found = toy(case).beam_search(inputs_of(case), **options)
        assert found.tolist() == case["result"], case


def sampled(case):
    np.random.seed(case["np_random_seed"])
    names = ("n", "topk", "topp", "temperature", "min_ends")
    options = {key: case[key] for key in names}
    return toy(case).random_sample(inputs_of(case), **options)


def test_random_sample_equals_every_recording():
    for case in RECORDED["random_sample"]:
        if case["topk"] in (None, 1) or case["topp"] is not None:
            assert [one.tolist() for one in sampled(case)] == case["result"], case


def test_random_sample_stays_within_topk():
    """Of k tokens alone, numpy leaves the order open: not the same ones are drawn."""
    case = next(one for one in RECORDED["random_sample"] if one["topk"] == 3)
    for ids in [*sampled(case), *map(np.array, case["result"])]:
        for i in range(1, len(ids)):
            scores = scores_of(inputs_of(case), ids[None, :i])[0]
            assert ids[i] in np.argsort(scores)[-3:]


def test_wraps_equals_every_recording():
    rest = {"start_id": 2, "maxlen": 4, "minlen": 1}
    for case in RECORDED["wraps"]:
        found, states = toy({**case, **rest}).predict(
            [np.array([[1], [0]])],
            np.array([[2, 5], [2, 7]]),
            None,
            case["temperature"],
            case["rtype"],
        )
        np.testing.assert_allclose(found, case["value"], rtol=1e-6)
        assert states is None


class Following(AutoRegressiveDecoder):
    """Its state is the last token of every beam."""

    @AutoRegressiveDecoder.wraps("logits", use_states=True)
    def predict(self, inputs, output_ids, states):
        if states is not None and output_ids.shape[1] > 2:
            np.testing.assert_array_equal(states["last"], output_ids[:, -2])
        return scores_of(inputs, output_ids), {"last": output_ids[:, -1]}


def test_states_follow_the_beams():
    decoder = Following(2, END, 12)
    assert len(decoder.beam_search([np.array([1])], topk=4)) > 3
    assert len(decoder.random_sample([np.array([1])], 5, seed=3)) == 5


def test_sampling_leaves_the_callers_scores_alone():
    kept = softmax(LOGITS[0, :1])
    before = kept.copy()

    class Kept(AutoRegressiveDecoder):
        @AutoRegressiveDecoder.wraps("probas")
        def predict(self, inputs, output_ids, states):
            return (
                np.repeat(kept, len(output_ids), axis=0)
                if len(output_ids) > 1
                else kept
            )

    Kept(2, END, 3).random_sample([np.array([1])], 2, topk=4, topp=0.5, seed=0)
    np.testing.assert_array_equal(kept, before)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: AutoRegressiveDecoder.wraps("probs"), "default_rtype must be one of"),
        (
            lambda: toy(RECORDED["beam_search"][0]).beam_search(
                [[0]], 1, temperature=0
            ),
            "temperature must be positive",
        ),
        (lambda: AutoRegressiveDecoder(2, 3, 4).beam_search([[0]], 1), "defines no"),
    ],
)
def test_errors_say_what_to_do(call, message):
    with pytest.raises((ValueError, NotImplementedError), match=message):
        call()
