"""The few-shot examples run, in seconds, with --smoke, on samples of four sets."""

import pytest
from test_examples import load


@pytest.mark.parametrize("arguments", [[], ["--task=tnews", "--lora=4"]])
def test_pet(arguments, tmp_path):
    module = load("task_pet")
    module.buckets = (64,)
    weights = tmp_path / "best.weights.h5"
    best = module.main(["--smoke", f"--weights={weights}", *arguments])
    assert 0 <= best["dev"] <= 1 and weights.exists()


@pytest.mark.parametrize("task", ["eprstmt", "bustm", "csl", "tnews"])
def test_every_task_has_its_words(task):
    module = load("task_pet")
    args = module.parse(["--task", task])
    train, dev, test = module.load_data(args)
    tokenizer = module.Tokenizer("zh-tiny", do_lower_case=True)
    cloze = module.Cloze(tokenizer, *module.TASKS[task], maxlen=128)
    for record in [*dev, *test]:
        ids, _, targets, weights = cloze.example(record, record["label"])
        assert sum(weights) == cloze.blanks
    assert len(train) >= 8


def test_p_tuning(tmp_path):
    module = load("task_p_tuning")
    module.buckets = (64,)
    path = tmp_path / "prompt.safetensors"
    best = module.main(
        ["--smoke", f"--weights={tmp_path / 'a.weights.h5'}", f"--prompt={path}"]
    )
    assert set(best) == {"dev", "test"}
    assert path.stat().st_size < 5000
