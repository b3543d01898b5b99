"""Bad files of CLUE: the file and the line are named, and nothing is written."""

import json
import shutil

import pytest
from clue_helpers import SAMPLES

from examples.clue.run import main
from examples.clue.tasks import NAMES, find_task


@pytest.fixture
def damage(tmp_path):
    """A function that damages a file of a task, then expects the run to say so."""
    data, output = tmp_path / "data", tmp_path / "runs"
    shutil.copytree(SAMPLES, data)
    output.mkdir()
    (output / "table.md").write_text("the table of yesterday")

    def run(name, file, change, error, kind=ValueError):
        path = data / name / file
        content = change(path.read_bytes())
        path.unlink()
        if content is not None:
            path.write_bytes(content)
        fine = "tnews" if name != "tnews" else "afqmc"  # is read before it
        with pytest.raises(kind, match=error):
            main([f"--data={data}", f"--output={output}", "--tasks", fine, name])
        assert [one.name for one in output.iterdir()] == ["table.md"]
        assert (output / "table.md").read_text() == "the table of yesterday"

    return run


def line(number, change):
    """Damage one line of a json-lines file: `change` works on its object."""

    def changed(content):
        lines = content.decode().splitlines()
        record = json.loads(lines[number - 1])
        change(record)
        lines[number - 1] = json.dumps(record, ensure_ascii=False)
        return "\n".join(lines).encode()

    return changed


def set_(key, value):
    return lambda record: record.update({key: value})


def cut_last_line(content):
    return content.decode().rstrip()[:-9].encode()


def lines_in(name, file):
    return len((SAMPLES / name / file).read_text("utf-8").rstrip().split("\n"))


CASES = {
    "label": ("afqmc/train.json", 3, set_("label", "2"), "'2' is none of 0, 1"),
    "no-label": ("tnews/train.json", 2, lambda x: x.pop("label"), "'label'"),
    "code": ("tnews/dev.json", 5, set_("label", "105"), "'105' is none of"),
    "class": ("iflytek/train.json", 4, set_("label", "119"), "'119' is none of"),
    "word": ("cmnli/dev.json", 2, set_("label", "maybe"), "'maybe' is none of"),
    "number": ("ocnli/dev.json", 3, set_("sentence1", 7), "must be str"),
    "list": ("csl/train.json", 3, set_("keyword", "词"), "must be list"),
    "no-id": ("tnews/test1.1.json", 6, lambda x: x.pop("id"), "'id'"),
    "type": (
        *("cluener/train.json", 2),
        *(lambda x: x["label"].update(city={"海": [[0, 0]]}), "'city' is none of"),
    ),
    "entity": (
        *("cluener/dev.json", 3),
        *(lambda x: x["label"].update(name={"无此": [[0, 1]]}), "无此"),
    ),
    "candidates": ("chid/train.json", 2, set_("candidates", "词"), "must be list"),
    "no-span": ("wsc/test1.1.json", 4, lambda x: x.pop("target"), "'target'"),
    "offset": (
        *("wsc/dev.json", 2),
        *(lambda x: x["target"].update(span2_index=1), "span2_text"),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_bad_line(case, damage):
    path, number, change, error = CASES[case]
    name, file = path.split("/")
    damage(name, file, line(number, change), f"{path}, line {number}: .*{error}")


@pytest.mark.parametrize("name", ["afqmc", "iflytek", "wsc", "cluener", "chid"])
def test_a_truncated_line(name, damage):
    last = lines_in(name, "train.json")
    damage(name, "train.json", cut_last_line, f"train.json, line {last}: no JSON")


def in_gb18030(content):
    return content.decode().encode("gb18030")


@pytest.mark.parametrize("name", ["tnews", "csl", "cluener"])
def test_another_encoding(name, damage):
    damage(name, "dev.json", in_gb18030, "dev.json, line 1: not UTF-8 .*GB18030")


@pytest.mark.parametrize(
    ("path", "line"),
    [("c3/d-train.json", 4), ("cmrc2018/train.json", 7), ("chid/dev_answer.json", 3)],
)
def test_a_json_file_cut_off(path, line, damage):
    name, file = path.split("/")

    def cut(content):
        return b"\n".join(content.split(b"\n")[:line])

    damage(name, file, cut, f"{file}, line {line}: .*JSON")


def test_a_bad_answer(damage):
    replaced = lambda old, new: lambda content: content.replace(old, new, 1)  # noqa: E731
    change = replaced(b'"#idiom000000#": ', b'"#idiom000000#": 7')
    damage("chid", "train_answer.json", change, "idiom000000# must be the number of")
    change = replaced(b'"answer": "', '"answer": "不'.encode())
    damage("c3", "d-train.json", change, r"d-train.json, data\[0\].question\[0\]: ")
    change = replaced(b'"answer_start": ', b'"begin": ')
    damage("cmrc2018", "train.json", change, r"\.qas\[0\]: .*'answer_start'")


def test_an_empty_file(damage):
    damage("cmnli", "dev.json", lambda _: b"\n", "dev.json: no sample")


def test_a_missing_file(damage):
    error = r"afqmc: no dev.json. There is: test.json, train.json"
    damage("afqmc", "dev.json", lambda _: None, error, FileNotFoundError)


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_folder(name, tmp_path):
    with pytest.raises(FileNotFoundError, match=f"no folder of {name}.* {name}_public"):
        main([f"--data={tmp_path}", f"--output={tmp_path / 'x'}", "--tasks", name])
    assert not list(tmp_path.iterdir())


def test_a_name_that_is_no_task():
    with pytest.raises(ValueError, match="no task 'tnew'. Tasks: afqmc, tnews"):
        find_task("tnew")
