"""C3 and ChID: what is wrong with a file is told with its place."""

import json
from pathlib import Path

import pytest
from clue_helpers import task_of, tiny_checkpoint

__all__ = ["tiny_checkpoint"]
GOOD = [["甲"], [{"question": "问", "choice": ["是", "否"], "answer": "是"}], "1"]
BAD_C3 = [
    (
        [GOOD, [["甲"], [{**GOOD[1][0], "answer": "无"}], "2"]],
        r"data\[1\].question\[0\]: ",
    ),
    (
        [GOOD, [["甲"], [GOOD[1][0], {"choice": ["是"]}]]],
        r"data\[1\].question\[1\]: .*que",
    ),
    ([GOOD, {"passage": "甲"}], r"data\[1\]: expected"),
    ({}, "expected a list"),
]


@pytest.mark.parametrize(("content", "message"), BAD_C3)
def test_c3_tells_the_place(content, message, tiny_checkpoint, tmp_path):
    path = tmp_path / "d-dev.json"
    path.write_text(json.dumps(content), "utf-8")
    with pytest.raises(ValueError, match=rf"d-dev\.json.*{message}"):
        task_of("c3", tiny_checkpoint).read(path)


BAD_CHID = [
    (
        {"candidates": ["a", "b"], "content": ["#idiom7#"]},
        "line 2: the answer to #idiom7#",
    ),
    (
        {"candidates": ["a", "b"], "content": ["#idiom1#"]},
        "line 2: the blank #idiom1# is",
    ),
    ({"candidates": ["a"], "content": ["#idiom2#"]}, "line 2: the answer .* 0 to 0"),
    ({"candidates": ["a"]}, "line 2: .*content"),
]


@pytest.mark.parametrize(("record", "message"), BAD_CHID)
def test_chid_tells_the_line(record, message, tiny_checkpoint, tmp_path):
    path = Path(tmp_path, "dev.json")
    first = {"candidates": ["a", "b"], "content": ["x#idiom1#"]}
    path.write_text("".join(json.dumps(x) + "\n" for x in (first, record)), "utf-8")
    Path(tmp_path, "dev_answer.json").write_text('{"#idiom1#": 0, "#idiom2#": 1}')
    with pytest.raises(ValueError, match=rf"dev\.json, {message}"):
        task_of("chid", tiny_checkpoint).read(path)
