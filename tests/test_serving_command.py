"""The commands, and how a model's folder becomes tasks."""

import pytest
from serving_models import SPECIAL, classifier

from bert4keras3.cli import main
from bert4keras3.serving import load_tasks, load_tokenizer


def test_fill_mask(capsys):
    assert main(["fill-mask", "中国的首都是[MASK]京。", "--topk", "2"]) == 0
    text, first, _ = capsys.readouterr().out.splitlines()
    assert text == "中国的首都是北京。" and first.endswith("北")


@pytest.mark.slow
def test_generate(capsys):
    arguments = ["generate", "今天天气", "--application", "unilm", "--maxlen", "4"]
    assert main(arguments) == 0
    assert 0 < len(capsys.readouterr().out.strip()) <= 4


def test_errors_are_told(capsys):
    assert main(["fill-mask", "没有空格"]) == 1
    assert "[MASK]" in capsys.readouterr().err
    assert main(["generate", "今天"]) == 1
    assert "application='lm' or 'unilm'" in capsys.readouterr().err
    assert main(["serve"]) == 1
    assert "a model or a classifier" in capsys.readouterr().err
    assert main(["serve", "zh-tiny", "--timeout", "0"]) == 1
    assert "timeout must be a positive number" in capsys.readouterr().err


@pytest.mark.parametrize(
    "application, names",
    [
        ("encoder", ["fill-mask", "similar"]),
        ("unilm", ["fill-mask", "similar", "generate"]),
        ("lm", ["generate"]),
    ],
)
def test_the_usual_tasks(application, names):
    assert [one.name for one in load_tasks("zh-tiny", application=application)] == names


def test_a_classifier(tmp_path):
    path, words = tmp_path / "model.keras", tmp_path / "vocab.txt"
    classifier().save(path)
    words.write_text("\n".join([*SPECIAL, "a"]), encoding="utf-8")
    with pytest.raises(ValueError, match="--tokenizer"):
        load_tasks(classifier=path)
    (task,) = load_tasks(classifier=path, tokenizer=words, labels=["x", "y"])
    assert task.labels == ["x", "y"] and task.maxlen == 32


def test_case_is_that_of_the_vocabulary(tmp_path):
    assert load_tokenizer("zh-tiny").tokenize("A")[1] == "a"
    path = tmp_path / "vocab.txt"
    path.write_text("\n".join([*SPECIAL, "a", "A"]), encoding="utf-8")
    assert load_tokenizer(path).tokenize("A")[1] == "A"
    assert load_tokenizer(path, lower=True).tokenize("A")[1] == "a"
    with pytest.raises(FileNotFoundError, match="no vocabulary"):
        load_tokenizer(tmp_path.parent)


def test_other_tasks_are_refused():
    with pytest.raises(ValueError, match="'classify'"):
        load_tasks("zh-tiny", tasks=["classify"])
