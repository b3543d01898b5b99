"""Reading comprehension: SQuAD files, windows, votes and CMRC's scores."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from bert4keras3.extraction import (
    Answer,
    Question,
    answer_f1,
    passage_windows,
    read_squad,
    reading_scores,
    vote_answers,
    window_text,
)
from bert4keras3.tokenizers import Tokenizer

PASSAGE = "今天天气好，NBA今天开赛。"


def squad(answers, **changes):
    qas = {"id": "1", "question": "何时？", "answers": answers, **changes}
    part = {"context": PASSAGE, "qas": [qas]}
    return {"version": "1", "data": [{"paragraphs": [part]}]}


def written(path, content):
    path.write_text(json.dumps(content), "utf-8")
    return path


def test_wrong_offsets_are_repaired(tmp_path):
    given = [("今天", 0), ("今天", 8), ("天气", 9), ("好", -1), ("没有", 3), ("", 0)]
    answers = [{"text": text, "answer_start": start} for text, start in given]
    [found] = read_squad(written(tmp_path / "a.json", squad(answers)))
    assert found[:3] == ("1", "何时？", PASSAGE)
    assert [one.start for one in found.answers] == [0, 9, 2, 4, -1, -1]
    assert [one.text for one in found.answers] == [text for text, _ in given]


def test_files_that_are_no_squad(tmp_path):
    path = tmp_path / "a.json"
    cases = {
        "expected 'data' with a list": {"version": "2"},
        r"data\[0\]: expected 'paragraphs'": {"data": [{}]},
        r"paragraphs\[0\].qas\[0\]: expected 'id' with a str.*Found 7": squad([], id=7),
        "expected 'answer_start' with a int": squad([{"text": "今天"}]),
        "no text in this file": {"data": []},
    }
    for match, content in cases.items():
        with pytest.raises(ValueError, match=match) as error:
            read_squad(written(path, content))
        assert str(path) in str(error.value)
    path.write_text('{"data": [', "utf-8")
    with pytest.raises(ValueError, match="line 1: no JSON"):
        read_squad(path)
    path.write_bytes(b"\n\xb0\xa1")
    with pytest.raises(ValueError, match="line 2: not UTF-8"):
        read_squad(path)


def test_windows_cover_the_passage():
    tokens = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        *dict.fromkeys(PASSAGE.lower()),
        "nba",
    ]
    tokenizer = Tokenizer({one: i for i, one in enumerate(tokens)}, do_lower_case=True)
    one = Question("1", "？", PASSAGE, (Answer("x", -1), Answer("NBA今天", 6)))
    other = Question("2", "？", "今天", ())
    windows = passage_windows(tokenizer, [one, other], size=5, stride=3)
    assert [x.row for x in windows] == [0, 0, 0, 0, 1]
    assert [x.answer for x in windows[:4]] == [None, None, (0, 2), None]
    assert windows[4].token_ids == tokenizer.encode("今天")[0][1:-1]
    spelled = [window_text(one, x, 0, len(x.token_ids) - 1) for x in windows[:4]]
    assert spelled == ["今天天气好", "气好，NBA今", "NBA今天开赛", "今天开赛。"]
    covered = np.concatenate([x.offsets for x in windows[:4]])
    assert set(range(len(PASSAGE))) == {i for a, b in covered for i in range(a, b)}
    with pytest.raises(ValueError, match="stride must be from 1 to size"):
        passage_windows(tokenizer, [one], 4, 5)


def test_votes():
    assert vote_answers([]) == ""
    # 0.36 / 1.6 against twice 0.25 / 2 and against 0.01 / 1.1
    assert vote_answers([("甲", 0.6), ("乙", 0.5), ("乙", 0.5), ("丙", 0.1)]) == "乙"
    assert vote_answers([("甲", 0.9), ("乙", 0.5), ("乙", 0.5)]) == "甲"


def test_scores_of_cmrc():
    def question(*texts):
        return Question("1", "？", "", tuple(Answer(text, 0) for text in texts))

    questions = [question("《红楼梦》", "红楼"), question("1998年5月"), question("气")]
    found = reading_scores(["红楼梦。", "1998年", ""], questions)
    assert found["em"] == pytest.approx(1 / 3)
    assert found["f1"] == pytest.approx((1 + 2 * 2 / (2 + 4)) / 3)
    # A run, not a subsequence; words are one segment; case does not count.
    assert answer_f1("红学梦", "红楼梦") == pytest.approx(2 / 6)
    assert answer_f1("the nba总决赛", "NBA") == pytest.approx(2 / 6)
    assert answer_f1("3.5", "3.5%") == pytest.approx(2 / 3)
    with pytest.raises(ValueError, match="'1' has no answers"):
        reading_scores(["a"], [question()])
    with pytest.raises(ValueError, match="2 rows of predictions and 1 of questions"):
        reading_scores(["a", "b"], [question("a")])


def test_the_page_runs(monkeypatch, capsys):
    root = Path(__file__).resolve().parents[1]
    monkeypatch.chdir(root)
    page = (root / "docs/reading_comprehension.md").read_text("utf-8")
    [block] = re.findall(r"```python\n(.*?)```", page, re.S)
    exec(block, {})
    assert capsys.readouterr().out.endswith("{'em': 1.0, 'f1': 1.0}\n")
