"""Training methods, several tasks, integrated gradients: the examples run."""

import numpy as np
import pytest
from test_examples import load


@pytest.mark.parametrize(
    "method",
    [
        "penalty",
        pytest.param("none", marks=pytest.mark.slow),
        pytest.param("fgm", marks=pytest.mark.slow),
        pytest.param("pgd", marks=pytest.mark.slow),
        pytest.param("vat", marks=pytest.mark.slow),
        pytest.param("rdrop", marks=pytest.mark.slow),
    ],
)
def test_adversarial_training(method, tmp_path):
    module = load("task_iflytek_adversarial_training")
    module.buckets = (64,)
    module.maxlen = 64
    weights = tmp_path / "best.weights.h5"
    options = ["--smoke", "--batch-size=8", f"--method={method}", "--labelled=0.5"]
    best = module.main([*options, f"--weights={weights}"])
    assert 0 <= best <= 1 and weights.exists()


def test_rows_without_a_label_weigh_nothing():
    module = load("task_iflytek_adversarial_training")
    data = module.read(module.find_file(module.parse([]).data, "train"))
    tokenizer = module.Tokenizer("zh-tiny", do_lower_case=True)
    (ids, _), labels, weights = next(iter(module.batches(data, tokenizer, 100, 0.25)))
    assert ids.shape[0] == 100 and 10 < weights.sum() < 40
    assert labels.tolist() == [label for _, label in data[:100]]
    assert len({label for _, label in data}) == 12


@pytest.mark.slow
def test_two_tasks(tmp_path):
    module = load("task_multitask_balance")
    module.buckets = (64,)
    module.maxlen = 64
    options = ["--smoke", "--batch-size=8", f"--weights={tmp_path}/x.weights.h5"]
    best = module.main([*options, "--balance=min_norm"])
    assert set(best) == {"mean", "sentiment", "apps"}


def test_batches_of_two_tasks():
    module = load("task_multitask_balance")
    tokenizer = module.Tokenizer("zh-tiny", do_lower_case=True)
    data = [[("很好", 1), ("不好", 0)], [("听音乐", 8)]]
    _, labels, weights = next(iter(module.batches(data, tokenizer, 3)))
    np.testing.assert_array_equal(labels, [[1, 0, 0], [0, 0, 8]])
    np.testing.assert_array_equal(weights, [[1, 1, 0], [0, 0, 1]])


@pytest.mark.slow
def test_integrated_gradients(capsys):
    module = load("task_sentiment_integrated_gradients")
    found = module.main(["--smoke", "房间很干净", "吵"])
    label, p, scores = found[1]
    assert label in module.names and 0.4 < p <= 1
    assert [token for token, _ in scores] == ["[CLS]", "吵", "[SEP]"]
    assert "against no text" in capsys.readouterr().out


@pytest.mark.slow
def test_bert_of_theseus(tmp_path):
    module = load("task_iflytek_bert_of_theseus")
    module.buckets = (64,)
    module.maxlen = 64
    weights = tmp_path / "{stage}.weights.h5"
    best = module.main(["--smoke", "--batch-size=8", f"--weights={weights}"])
    assert list(best) == ["predecessor", "theseus", "successor"]
    assert (tmp_path / "theseus.weights.h5").exists()
