"""CLUENER and CMRC 2018 from files to submissions, and what their models are given."""

import json

import numpy as np
import pytest
from clue_helpers import SAMPLES, read, smoke, task_of, tiny_checkpoint

__all__ = ["tiny_checkpoint"]


def test_entities(tiny_checkpoint, tmp_path):
    task = task_of("cluener", tiny_checkpoint)
    result, answers = smoke(task, tmp_path / "run")
    assert set(result["scores"]) == {"f1", "precision", "recall"}
    assert result["majority"] == 0
    lines, tests = answers["cluener_predict.json"], read(SAMPLES / "cluener/test.json")
    assert [one["id"] for one in lines] == [one["id"] for one in tests]


def test_answers(tiny_checkpoint, tmp_path):
    task = task_of("cmrc2018", tiny_checkpoint, maxlen=48)
    result, answers = smoke(task, tmp_path / "run")
    assert set(result["scores"]) == {"em", "f1"}
    tests = task.read(SAMPLES / "cmrc2018" / "test.json", labelled=False)
    found = answers["cmrc2018_predict.json"]
    assert list(found) == [one.id for one in tests]
    assert all(found[one.id] in one.passage and found[one.id] for one in tests)
