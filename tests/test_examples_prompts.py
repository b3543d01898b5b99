"""The few-shot examples run, in seconds, with --smoke, on samples of four sets."""

import re
from pathlib import Path

import pytest
from test_examples import load


def test_pet(tmp_path):
    run_pet(tmp_path)


@pytest.mark.slow
def test_pet_with_lora(tmp_path):
    run_pet(tmp_path, "--task=tnews", "--lora=4")


def run_pet(folder, *arguments):
    module = load("task_pet")
    module.maxlen, module.buckets = 32, (32,)
    weights = folder / "best.weights.h5"
    best = module.main(["--smoke", f"--weights={weights}", *arguments])
    assert 0 <= best["dev"] <= 1 and weights.exists()


@pytest.mark.parametrize("task", sorted(load("task_pet").TASKS))
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
    module.maxlen, module.buckets = 32, (32,)
    path = tmp_path / "prompt.safetensors"
    best = module.main(
        ["--smoke", f"--weights={tmp_path / 'a.weights.h5'}", f"--prompt={path}"]
    )
    assert set(best) == {"dev", "test"}
    assert path.stat().st_size < 5000


@pytest.mark.filterwarnings("ignore:.*not in the checkpoint")
def test_the_page_runs():
    page = (Path(__file__).resolve().parents[1] / "docs/prompts.md").read_text("utf-8")
    names = {}
    for block in re.findall(r"```python\n(.*?)```", page, re.S):
        exec(block, names)
    assert names["model"].output_shape == (None, 2)
    for name in re.findall(r"`t\.(\w+)\(", page):
        assert hasattr(names["bert"], name)
