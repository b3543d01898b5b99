"""Similar questions and encoder-decoders: the examples run, their batches are right."""

import json

import numpy as np
import pytest
from script_modules import imported
from test_examples import load

from bert4keras3.tokenizers import Tokenizer

# zh-tiny has none, and the script says so.
NO_POOLER = pytest.mark.filterwarnings("ignore:.*not in the checkpoint")


@NO_POOLER
@pytest.mark.slow
def test_similar_questions(tmp_path, capsys):
    module = load("task_similar_questions")
    module.maxlen, module.buckets = 16, (32,)
    save, weights = tmp_path / "simbert", tmp_path / "best.weights.h5"
    options = ["--smoke", "--batch-size=4", f"--weights={weights}"]
    best = module.main([*options, f"--save={save}"])
    assert set(best) == {"spearman", "top1", "top5"}
    assert weights.exists() and "before: {" in capsys.readouterr().out
    assert {one.name for one in save.iterdir()} > {"config.json", "vocab.txt"}


@NO_POOLER
@pytest.mark.slow
def test_a_student_learns_from_a_teacher(tmp_path):
    pytest.importorskip("jieba")
    main = load("task_similar_questions").main
    options = ["--smoke", "--batch-size=4", f"--weights={tmp_path}/best.weights.h5"]
    main([*options, f"--save={tmp_path}/simbert"])
    best = main([*options, f"--teacher={tmp_path}/simbert", "--noise=0.5"])
    assert np.isfinite(best["spearman"])


@pytest.fixture(scope="module")
def pairs():
    return [("今天天气", "天气怎样"), ("你好", "您好啊"), ("怎么学", "如何学习")]


def test_rows_of_a_pair_are_neighbours(pairs):
    module = load("task_similar_questions")
    tokenizer = Tokenizer("zh-tiny", do_lower_case=True)
    vectors = {text: np.full(2, i) for i, text in enumerate(sum(pairs, ()))}
    generator = module.Pairs(pairs, 3, tokenizer, vectors=vectors)
    (ids, segments), labels = next(iter(generator))
    assert ids.shape == segments.shape == (6, 32)
    for row, (source, target) in enumerate(p[::s] for p in pairs for s in (1, -1)):
        expected, kinds = tokenizer.encode(source, target)
        assert ids[row, : len(expected)].tolist() == expected
        assert segments[row, : len(kinds)].tolist() == kinds
        assert labels[row].tolist() == vectors[source].tolist()


def test_noise_leaves_the_target_alone(pairs):
    module = load("task_similar_questions")
    tokenizer = Tokenizer("zh-tiny", do_lower_case=True)
    generator = module.Pairs(pairs * 60, 180, tokenizer)
    (clean, segments), labels = next(iter(generator))
    generator.noise, generator.cut = 1.0, list
    (noisy, _), _ = next(iter(generator))
    changed = clean != noisy
    assert labels is None and 0.05 < changed.any(1).mean() < 0.7
    assert not changed[(segments > 0) | (clean == 0)].any() and not changed[:, 0].any()


@pytest.mark.slow
def test_titles_by_an_encoder_decoder(tmp_path, capsys):
    pytest.importorskip("rouge_chinese")
    pytest.importorskip("sacrebleu")
    module = load("task_seq2seq_autotitle_csl_mt5")
    module.maxlen, module.title_maxlen, module.buckets = 64, 8, (64,)
    weights = tmp_path / "best.weights.h5"
    best = module.main(["--smoke", "--batch-size=8", f"--weights={weights}"])
    assert set(best) == {"rouge-l", "rouge-1", "rouge-2", "bleu"}
    assert weights.exists() and "->" in capsys.readouterr().out


def test_pseudo_summaries_of_a_file(tmp_path, monkeypatch):
    text, out = tmp_path / "corpus.txt", tmp_path / "pairs.jsonl"
    text.write_text("今天下雨。股市上涨。雨下了一天。\n" * 20, "utf-8")
    with imported(("t5_pegasus_data",), monkeypatch) as modules:
        main = modules["t5_pegasus_data"].main
        options = [f"--text={text}", f"--out={out}", "--least=60"]
        count = main(options)
        with pytest.raises(FileExistsError):
            main(options)
    found = [json.loads(one) for one in out.read_text("utf-8").splitlines()]
    assert len(found) == count > 3
    for one in found:
        assert len(one["target"]) <= len(one["source"]) and "\n" not in one["source"]
        assert set(one["source"] + one["target"]) <= set(text.read_text("utf-8"))
