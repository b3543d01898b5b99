"""FewCLUE's sets are read, encoded and scored, by fine-tuning and by PET."""

import json

import pytest
from clue_helpers import SAMPLES, tiny_checkpoint

from examples.clue import fewclue
from examples.clue.fewclue_sets import SETS, few_shot
from examples.clue.task import Options

DATA = SAMPLES.parent / "fewclue"
__all__ = ["tiny_checkpoint"]


@pytest.mark.parametrize("name", sorted(SETS))
def test_every_set_is_read(name, tiny_checkpoint):
    task = few_shot(name)(Options(DATA, str(tiny_checkpoint)))
    train, dev = task.split("train"), task.split("dev")
    ((path, submission),) = task.test_files().items()
    assert path.name == "test_public.json" and submission == "public.json"
    test = task.read(path, labelled=False)
    assert min(len(train), len(dev), len(test)) >= 8
    assert len({one.label for one in train}) >= 2
    assert all(one.label is None and one.id is not None for one in test)
    assert len(task.encode(dev)) == len(dev)
    assert len(task.answers(dev, task.majority(train, dev))) == len(dev)


def test_fine_tuning(tiny_checkpoint, tmp_path):
    name = "chid"
    given = ["--checkpoint", str(tiny_checkpoint), "--output", str(tmp_path)]
    results = fewclue.main(["--smoke", "--tasks", name, *given])
    scores = results[name, 0]
    folder = tmp_path / name / "fine-tune-few_all" / "seed-0"
    lines = (folder / "public.json").read_text("utf-8").splitlines()
    found = {one["id"]: one["answer"] for one in map(json.loads, lines)}
    lines = (DATA / name / "test_public.json").read_text("utf-8").splitlines()
    gold = [json.loads(line) for line in lines]
    right = sum(found[one["id"]] == one["answer"] for one in gold)
    assert scores["test"] == right / len(gold) and 0 <= scores["dev"] <= 1
    assert fewclue.main(["--smoke", "--tasks", name, *given]) == results
    with pytest.raises(ValueError, match="smoke was True and is now False"):
        fewclue.main(["--tasks", name, *given])


def test_pet(tmp_path):
    given = ["--smoke", "--method", "pet", "--output", str(tmp_path)]
    results = fewclue.main([*given, "--tasks", "ocnli"])
    assert set(results["ocnli", 0]) == {"dev", "test"}
    assert (tmp_path / "ocnli/pet-few_all/seed-0/best.weights.h5").exists()


def test_other_splits_and_sets_without_words(tiny_checkpoint, capsys):
    with pytest.raises(FileNotFoundError, match=r"no train_3\.json"):
        few_shot("bustm", "3")(Options(DATA, str(tiny_checkpoint))).split("train")
    with pytest.raises(SystemExit):
        fewclue.main(["--method", "pet", "--tasks", "chid"])
    assert "--method pet has no chid" in capsys.readouterr().err
