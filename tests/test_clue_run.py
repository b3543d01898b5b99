"""The runner of CLUE: one table of all that is finished, nothing done twice."""

import json

import keras
import pytest
from clue_helpers import tiny_checkpoint
from clue_toy import ToyTNEWS, find_toy

from examples.clue import curves, folder, run, training
from examples.clue.run import data_parallel, main

__all__ = ["tiny_checkpoint"]
SIZES = ["--limit=8", "--batch-size=4", "--epochs=2"]


@pytest.fixture
def toys(monkeypatch):
    monkeypatch.setattr(run, "find_task", find_toy)


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    """Two tasks, then a second seed of one of them."""
    output = tmp_path_factory.mktemp("run") / "runs"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "find_task", find_toy)
        main([f"--output={output}", *SIZES, "--tasks", "afqmc", "tnews"])
        rest = ["--tasks", "tnews", "--seeds", "0", "1"]
        results = main([f"--output={output}", *SIZES, *rest])
    assert [one["seed"] for one in results] == [0, 1]
    return output


@pytest.fixture
def arguments(output, toys):
    return [f"--output={output}", *SIZES, "--tasks", "afqmc"]


def test_smoke(tiny_checkpoint, tmp_path):
    """The real task, on packed rows, in half precision, which is over afterwards."""
    options = [f"--checkpoint={tiny_checkpoint}", f"--output={tmp_path}", "--smoke"]
    (result,) = main([*options, "--dtype=bfloat16"], only="tnews")
    assert result["samples"] == {"train": 8, "dev": 15} and result["epochs"] == 1
    assert keras.config.dtype_policy().name == "float32"
    assert "dtype bfloat16" in (tmp_path / "table.md").read_text("utf-8")


def test_table(output):
    found = json.loads((output / "table.json").read_text("utf-8"))
    assert found["settings"]["epochs"] == 2 and found["mean of tasks"] is None
    afqmc, tnews = found["tasks"]
    assert (afqmc["seeds"], tnews["seeds"]) == ([0], [0, 1])
    assert afqmc["score"]["deviation"] is None
    assert tnews["score"]["deviation"] >= 0 and tnews["seconds"] > 0
    assert tnews["samples"] == {"train": 8, "dev": 15}
    assert len(tnews["best_epochs"]) == 2 and tnews["peak_memory_mb"] > 50
    lines = (output / "table.md").read_text("utf-8").splitlines()
    rows = [line for line in lines if line[:1] == "|"]
    assert len(rows) == 4 and len({row.count("|") for row in rows}) == 1
    assert "| tnews | accuracy | " in rows[3] and "±" in rows[3]


def test_files(output):
    kept = {"result.json", "tnews10_predict.json", "tnews11_predict.json"}
    for seed in (0, 1):
        there = {path.name for path in (output / "tnews" / f"seed-{seed}").iterdir()}
        assert there == kept
    result = training.finished(output / "tnews" / "seed-1")
    assert len(result["curve"]["score"]) == 2
    assert max(result["curve"]["score"]) == result["score"]
    steps = [step for step, _ in result["curve"]["loss"]]
    assert steps == list(range(1, len(steps) + 1))


def test_curves(output):
    pytest.importorskip("matplotlib")
    for name in ("afqmc", "tnews"):
        picture = (output / "curves" / f"{name}.png").read_bytes()
        assert picture[:4] == b"\x89PNG" and len(picture) > 5000


def test_finished_is_not_run_again(output, arguments, monkeypatch, capsys):
    monkeypatch.setattr(training, "measured", None)
    before = (output / "table.json").read_bytes()
    (output / "table.json").unlink()
    assert len(main(arguments)) == 1
    assert (output / "table.json").read_bytes() == before
    said = capsys.readouterr().out
    assert "[1/1] afqmc, seed 0: finished before" in said and "train 8" not in said


def test_other_settings_are_refused(output, arguments):
    with pytest.raises(ValueError, match="run.json .*limit was 8 and is now 9"):
        main([*arguments, "--limit=9"])


def test_one_run_at_a_time(output, arguments):
    pytest.importorskip("fcntl")
    settings = json.loads((output / "run.json").read_text("utf-8"))
    with folder.opened(output, settings):
        with pytest.raises(RuntimeError, match="another run is at work"):
            main(arguments)
    with folder.opened(output, settings):
        pass  # let go of


def test_without_matplotlib(monkeypatch, capsys):
    monkeypatch.setattr(curves.importlib.util, "find_spec", lambda name: None)
    assert not curves.installed() and "pip install" in capsys.readouterr().out


def test_a_task_of_ones_own(tmp_path, tiny_checkpoint):
    class Mine(ToyTNEWS):
        name = "mine"
        folders = ("tnews",)

    options = ["--checkpoint", str(tiny_checkpoint), "--output", str(tmp_path)]
    (result,) = main([*options, "--smoke"], only=Mine)
    assert result["task"] == "mine"
    assert "| mine | accuracy |" in (tmp_path / "table.md").read_text("utf-8")


def test_devices():
    wrong = "999" if keras.backend.backend() == "jax" else "all"
    with pytest.raises(ValueError, match="--devices"):
        data_parallel(wrong)
