"""The classification tasks of CLUE: each from files to submissions, and its texts."""

import json

import pytest
from clue_helpers import SAMPLES, read, smoke, task_of, tiny_checkpoint

TASKS = ["afqmc", "tnews", "iflytek", "cmnli", "ocnli", "csl", "wsc"]
__all__ = ["tiny_checkpoint"]
DRAWN = {"span1_text": "猫", "span1_index": 0, "span2_text": "它", "span2_index": 6}


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


def test_packed_batches_are_of_the_size_asked_for():
    """Rows as long as the task says, about batch_size texts in a batch."""
    task = task_of("tnews", "zh-tiny", maxlen=None, batch_size=8, packing=True)
    features = [(([1] * size, [0] * size), 0) for size in (14, 20, 26, 32)] * 40
    generator = task.batches(features, seed=0)
    assert generator.length == task.row_length == 64
    assert len(generator) == pytest.approx(len(features) / 8, rel=0.15)
    longer = task.batches([(([1] * 70, [0] * 70), 0)], seed=0)
    assert longer.length == [64, 128]


def test_rows_without_a_label_are_left_out_and_told(capsys):
    task = task_of("ocnli", "zh-tiny", limit=None)
    rows = read(SAMPLES / "ocnli" / "train.50k.json")
    assert len(task.split("train")) == len(rows) - 1 == 20
    path = SAMPLES / "ocnli" / "train.50k.json"
    assert f"{path}: 1 rows with the label '-' are left out" in capsys.readouterr().out


def test_the_largest_file_of_ocnli_is_taken(tmp_path):
    folder = tmp_path / "ocnli_public"
    folder.mkdir()
    for size in ("10k", "30k", "50k"):
        row = {"sentence1": size, "sentence2": "b", "label": "neutral"}
        (folder / f"train.{size}.json").write_text(json.dumps(row), "utf-8")
        task = task_of("ocnli", "zh-tiny", tmp_path)
        assert task.split("train")[0].texts == (size, "b")


def test_both_spans_are_marked(tmp_path):
    task = task_of("wsc", "zh-tiny")
    record = {"text": "猫追老鼠，它跑了", "target": {**DRAWN, "span2_index": 5}}
    assert task.texts(record) == ("_猫_追老鼠，[它]跑了",)
    record["target"].update(span1_text="猫追老鼠", span2_text="老鼠", span2_index=2)
    assert task.texts(record) == ("_猫追[老鼠]_，它跑了",)
    (tmp_path / "cluewsc2020").mkdir()
    path = tmp_path / "cluewsc2020" / "dev.json"
    line = json.dumps({"text": "猫追老鼠，它跑了", "label": "true", "target": DRAWN})
    path.write_text("\n" + line, "utf-8")
    with pytest.raises(ValueError, match="dev.json, line 2: span2_text '它'.*6"):
        task_of("wsc", "zh-tiny", tmp_path).split("dev")


def test_keywords_stay_whole():
    task = task_of("csl", "zh-tiny", maxlen=24)
    (keywords,) = [task.tokenizer.encode("水稻；施肥时间；产量")[0]]
    whole = keywords + task.tokenizer.encode("研究" * 40)[0][1:]
    ids, segments = task.tokens(("水稻；施肥时间；产量", "研究" * 40))
    assert ids[:-1] == whole[:23] and ids[-1] == whole[-1]
    assert len(ids) == len(segments) == 24
    assert task.tokens(("水稻", "研究"))[0] == task.tokenizer.encode("水稻", "研究")[0]
    assert len(task.tokens(("水" * 40, "研究" * 40))[0]) == 24


@pytest.mark.parametrize("name", ["afqmc", "iflytek", "csl"])
def test_wrong_labels_are_told_with_their_line(name, tmp_path):
    (tmp_path / name).mkdir()
    lines = read(SAMPLES / name / "dev.json")[:3]
    lines[2]["label"] = "119"
    path = tmp_path / name / "dev.json"
    path.write_text("\n".join(map(json.dumps, lines)), "utf-8")
    with pytest.raises(ValueError, match=f"{path}, line 3: label '119'"):
        task_of(name, "zh-tiny", tmp_path).split("dev")
