"""The examples that read, and write or go on, run in seconds with --smoke."""

import json

import pytest
from test_examples import load


@pytest.mark.slow
def test_conditional_language_model(tmp_path, capsys):
    module = load("task_conditional_language_model")
    module.buckets = (128,)
    weights = tmp_path / "best.weights.h5"
    best = module.main(["--smoke", "--samples=1", f"--weights={weights}"])
    assert 0 <= best["accuracy"] <= 1 and weights.exists()
    assert "negative:" in capsys.readouterr().out


def test_groups_of_sentences():
    module = load("task_language_model")
    text = "“甲。”乙说。\n丙！丁？戊……己"
    sentences = module.sentence.findall(text)
    assert sentences == ["“甲。”", "乙说。\n", "丙！", "丁？", "戊……", "己"]
    found = module.groups(sentences, 8)
    assert found == ["“甲。”乙说。\n", "乙说。\n丙！丁？", "丙！丁？戊……己"]
    assert module.groups(["长" * 9, "短"], 8) == ["长" * 9, "短"]


@pytest.mark.slow
def test_stories(tmp_path):
    module = load("task_language_model")
    module.maxlen, module.buckets = 32, (32,)
    best = module.main(["--smoke", f"--weights={tmp_path / 'best.weights.h5'}"])
    assert best["perplexity"] > 1
    (tmp_path / "book.txt").write_text("甲。乙。丙。", encoding="gb18030")
    assert module.read(tmp_path, "gb18030") == (["甲。乙。"], ["丙。"])


def test_pairs_of_titles(tmp_path):
    module = load("task_seq2seq_autotitle")
    for number in range(3):
        (tmp_path / f"{number}.txt").write_text(f"题{number}\n文\n章", "utf-8")
    train, dev = module.train_and_dev(tmp_path)
    assert train == [("题1", "文\n章"), ("题2", "文\n章")]
    assert dev == [("题0", "文\n章")]
    docs = "\n".join(
        f"<doc id={i}>\n <human_label>{score}</human_label>\n"
        f" <summary>\n 题\n </summary>\n"
        f" <short_text>\n 文{i}\n </short_text>\n</doc>"
        for i, score in enumerate((2, 3))
    )
    (tmp_path / "PART_III.txt").write_text(docs, "utf-8")
    train, dev = module.train_and_dev(tmp_path)
    assert len(train) == 3 and dev == [("题", "文1")]


@pytest.mark.slow
def test_titles_of_news(tmp_path):
    pytest.importorskip("rouge_chinese")
    pytest.importorskip("sacrebleu")
    module = load("task_seq2seq_autotitle")
    module.maxlen, module.title_maxlen, module.buckets = 128, 8, (128,)
    best = module.main(["--smoke", f"--weights={tmp_path / 'best.weights.h5'}"])
    assert set(best) == {"rouge-l", "rouge-1", "rouge-2", "bleu"}


def test_equations(tmp_path):
    module = load("task_seq2seq_ape210k_math_word_problem")
    plain, value = module.plain, module.value
    assert module.normalize("用去(1)/(4)，1((1)/(2))的20%，3:4") == (
        "用去(1/4)，(1+1/2)的(20/100)，3/4"
    )
    assert value("(1+1/2)*20/100") == 0.3 and value("-2") == -2
    for wrong in ("2**9", "1/0", "2*", "f(1)", "open", "'a'*2", "1,2", "(" * 300, ""):
        assert value(wrong) is None
    assert plain("((12*3))+(4)") == "12*3+4" and plain("2*(3+4)") == "2*(3+4)"
    lines = (("x=3*(2+1)", "9"), ("x=3*2", "5"), ("x=50%*4", "2"))
    path = tmp_path / "train.json"
    path.write_text(
        "\n".join(
            json.dumps({"original_text": "问", "equation": equation, "ans": answer})
            for equation, answer in lines
        ),
        "utf-8",
    )
    assert module.read(path) == [("问", "3*(2+1)", 9.0), ("问", "50/100*4", 2.0)]


@pytest.mark.slow
def test_word_problems(tmp_path):
    module = load("task_seq2seq_ape210k_math_word_problem")
    module.maxlen, module.equation_maxlen, module.buckets = 64, 8, (64,)
    best = module.main(["--smoke", f"--weights={tmp_path / 'best.weights.h5'}"])
    assert 0 <= best["accuracy"] <= 1
