"""The generation examples run, in seconds, with --smoke."""

import pytest
from test_examples import load

pytest.importorskip("rouge_chinese")
pytest.importorskip("sacrebleu")


def test_titles(tmp_path, capsys):
    module = load("task_seq2seq_autotitle_csl")
    module.maxlen, module.title_maxlen, module.buckets = 128, 8, (128,)
    weights = tmp_path / "best.weights.h5"
    best = module.main(["--smoke", "--batch-size=8", f"--weights={weights}"])
    assert set(best) == {"rouge-l", "rouge-1", "rouge-2", "bleu"}
    assert weights.exists()
    assert "->" in capsys.readouterr().out


def test_gibbs_sampling(capsys):
    found = load("basic_gibbs_sampling_via_mlm").main(["--smoke", "--chains=2"])
    assert [len(one) for one in found] == [2, 2]
    assert "chain 1" in capsys.readouterr().out
