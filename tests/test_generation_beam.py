"""Compiled beam search: the recordings of the original's host loop, in batches."""

import itertools

import pytest
from keras import ops
from toy_decoders import BIAS, END, LOGITS, RECORDED

from bert4keras3.backend import runtime
from bert4keras3.generation.beam import BeamSearch, legacy_search
from bert4keras3.generation.loop import Ends, Start

OPTIONS = (
    "class",
    "start_id",
    "end_id",
    "maxlen",
    "minlen",
    "topk",
    "temperature",
    "min_ends",
)


def options_of(case):
    return tuple(case.get(name, END if name == "end_id" else None) for name in OPTIONS)


GROUPS = [
    (dict(zip(OPTIONS, key, strict=True)), list(cases))
    for key, cases in itertools.groupby(
        sorted(RECORDED["beam_search"], key=lambda c: repr(options_of(c))), options_of
    )
]


def search(options, inputs):
    """legacy_search on the toy's table, whose cache is the length so far."""
    first = 0 if options["start_id"] is None else 1

    def logits_of(last, length, row):
        table = ops.take(ops.convert_to_tensor(LOGITS), length % len(LOGITS), axis=0)
        scores = ops.take(table, last, axis=0) + ops.take(BIAS, row, axis=0)
        if options["class"] == "ToyStates":
            early = ops.logical_and(ops.arange(12) == END, length - first < 4)
            scores = ops.where(early, -1e9, scores)
        return ops.cast(scores, "float32")

    def step(ids, i, state):
        return logits_of(ids, i + 1 + first, state["row"]), state

    def run(row):
        start_id = ops.zeros_like(row) + (options["start_id"] or 0)
        logits = logits_of(start_id, ops.convert_to_tensor(first), row)
        tokens = ops.zeros((len(inputs), 1), dtype="int32")
        start = Start(
            logits, {"row": row}, tokens, start_id, options["maxlen"], options["maxlen"]
        )
        end = () if options["end_id"] is None else (options["end_id"],)
        ends = Ends(end, options["minlen"] - first, options["min_ends"])
        beams = BeamSearch(options["topk"], temperature=options["temperature"])
        return legacy_search(step, start, beams, ends, 0)

    found = runtime.compiled(run, [])(ops.convert_to_tensor(inputs, "int32"))
    ids, lengths, scores = (ops.convert_to_numpy(one)[:, 0] for one in found)
    head = [] if options["start_id"] is None else [options["start_id"]]
    return [[*head, *row[:n].tolist()] for row, n in zip(ids, lengths, strict=True)]


def check(groups):
    for options, cases in groups:
        found = search(options, [case["input"] for case in cases])
        assert found == [case["result"] for case in cases], options


def test_beam_search_equals_recordings():
    check(GROUPS[:: 60 if runtime.BACKEND != "torch" else 6])


@pytest.mark.slow
def test_beam_search_equals_every_recording():
    check(GROUPS)
