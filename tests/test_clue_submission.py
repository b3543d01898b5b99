"""The checker of CLUE's submission files takes what is right, and tells what is not."""

import json

import pytest
from clue_helpers import SAMPLES, read

from examples.clue.official import ENTITIES, LABELS, OFFICIAL, read_questions
from examples.clue.submission import check_submission, main, write_answers
from examples.clue.tasks import NAMES, find_task


def right(task):
    """(test file, any answers of the right form) of the bundled sample."""
    names = next(tests for folders, tests in OFFICIAL.values() if folders[0] == task)
    path = next(
        SAMPLES / task / name for name in names if (SAMPLES / task / name).exists()
    )
    questions = read_questions(task, path)
    if task == "chid":
        return path, dict.fromkeys(questions, 1)
    if task == "cmrc2018":
        return path, {key: text[:4] for key, text in questions.items()}
    answers = {"c3": lambda _: 1, "cluener": lambda x: {"name": {x[1:3]: [[1, 2]]}}}
    answer = answers.get(task, lambda labels: labels[-1])
    return path, [{"id": key, "label": answer(one)} for key, one in questions.items()]


@pytest.mark.parametrize("task", sorted(NAMES))
def test_names_are_those_of_the_tasks(task):
    tests = {
        (test, name)
        for name, (folders, tests) in OFFICIAL.items()
        if folders[0] == task
        for test in tests
    }
    assert tests == set(find_task(task).tests.items())
    if task in LABELS:
        assert set(find_task(task).labels) == set(LABELS[task])


@pytest.mark.parametrize("task", sorted({x[0][0] for x in OFFICIAL.values()}))
def test_what_is_right_passes_and_gaps_are_told(task, tmp_path):
    test_path, answers = right(task)
    path = tmp_path / "a.json"
    write_answers(path, answers)
    assert check_submission(task, test_path, path) == len(answers)
    key = list(answers)[2] if isinstance(answers, dict) else answers[2]["id"]
    answers.pop(key if isinstance(answers, dict) else 2)
    write_answers(path, answers)
    with pytest.raises(ValueError, match=f"a.json: 1 of .*missing, such as {key}$"):
        check_submission(task, test_path, path)


def swap(line, text):
    def change(lines):
        lines[line - 1] = text

    return change


BAD = [
    ("tnews", swap(2, '{"id": 1, "label": 100}'), "line 2: 'label' must be str"),
    ("tnews", swap(3, '{"id": 2, "label": "105"}'), "line 3: the label '105'"),
    ("tnews", swap(3, '{"id": 99, "label": "100"}'), "line 3: the id '99' is not in"),
    ("tnews", swap(3, '{"label": "100"}'), "line 3: .*'id'"),
    ("tnews", lambda x: x.append(x[1]), r"line \d+: the id .* in line 2 too"),
    ("tnews", swap(4, '{"id": 3, "lab'), "line 4: no JSON"),
    ("chid", swap(3, '"#idiom999999#": 1,'), "line 3: the id '#idiom999999#' is not"),
    ("chid", lambda x: x.insert(3, x[1]), "line 4: the id .* is in line 2 too"),
    ("chid", lambda x: swap(3, x[2].replace("1,", "10,"))(x), "line 3: .* 0 to 9"),
    ("chid", lambda x: swap(3, x[2].replace("1,", "true,"))(x), "line 3: .*True"),
    ("chid", swap(1, "["), "line 2: no JSON"),
    ("c3", lambda x: swap(1, x[0].replace("1}", "4}"))(x), "line 1: .*Found: 4"),
    ("cmrc2018", lambda x: swap(2, x[1].split(":")[0] + ': "",')(x), "line 2: .*text"),
    (
        "cluener",
        lambda x: swap(2, x[1].replace("[1, 2]", "[0, 1]"))(x),
        "line 2: .*not",
    ),
    ("cluener", lambda x: swap(2, x[1].replace("name", "nom"))(x), "line 2: .*'nom'"),
]


@pytest.mark.parametrize(("task", "change", "message"), BAD)
def test_what_is_wrong_is_told_with_its_line(task, change, message, tmp_path):
    test_path, answers = right(task)
    path = tmp_path / "a.json"
    write_answers(path, answers)
    lines = path.read_text("utf-8").split("\n")
    lines = lines[: -1 if lines[-1] == "" else None]
    change(lines)
    path.write_text("\n".join(lines) + "\n", "utf-8")
    with pytest.raises(ValueError, match=rf"a\.json, {message}"):
        check_submission(task, test_path, path)


def test_encoding(tmp_path):
    test_path, answers = right("cmrc2018")
    text = json.dumps(answers, ensure_ascii=False, indent=0)
    (tmp_path / "a.json").write_bytes(text.encode("gb18030"))
    with pytest.raises(ValueError, match=r"a\.json, line 2: not UTF-8"):
        check_submission("cmrc2018", test_path, tmp_path / "a.json")


def test_command(tmp_path, capsys):
    for name, (folders, _) in list(OFFICIAL.items())[:3]:
        write_answers(tmp_path / "runs" / folders[0] / name, right(folders[0])[1])
    given = ["--data", str(SAMPLES), str(tmp_path / "runs")]
    assert main(given) == 0
    assert capsys.readouterr().out.count(" in order, ") == 3
    wrong = tmp_path / "runs" / "my_predict.json"
    wrong.write_text("")
    assert main(given) == 1
    out = capsys.readouterr().out
    assert out.count(" in order, ") == 3 and "WRONG" in out and str(wrong) in out
    assert main(["--data", str(SAMPLES), str(tmp_path / "afqmc_predict.json")]) == 1
    (tmp_path / "empty").mkdir()
    assert main(["--data", str(SAMPLES), str(tmp_path / "empty")]) == 1


def test_entities_are_ten_and_samples_have_them():
    found = {
        kind for row in read(SAMPLES / "cluener/train.json") for kind in row["label"]
    }
    assert len(ENTITIES) == 10 and found <= set(ENTITIES)
