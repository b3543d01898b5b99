"""The classification tasks of CLUE: each from files to submissions, and its texts."""

import json

import pytest
from clue_helpers import SAMPLES, read, smoke, task_of, tiny_checkpoint

TASKS = ["afqmc", "tnews", "iflytek", "cmnli", "ocnli", "csl", "wsc"]
__all__ = ["tiny_checkpoint"]


@pytest.mark.parametrize("name", TASKS)
def test_smoke(name, tiny_checkpoint, tmp_path):
    task = task_of(name, tiny_checkpoint)
    result, answers = smoke(task, tmp_path / "run")
    assert result["samples"]["train"] == 12
    assert set(answers) == set(task.tests.values())
    for path, submission in task.test_files().items():
        found = answers[submission]
        assert [one["id"] for one in found] == [one["id"] for one in read(path)]
        assert all(set(one) == {"id", "label"} for one in found)
        assert {one["label"] for one in found} <= set(task.labels)
