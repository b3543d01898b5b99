"""The runner of CLUE: one table of all that is finished, nothing done twice."""

import json

import keras
import pytest
from clue_helpers import SAMPLES, tiny_checkpoint

from examples.clue import curves, folder, memory, table, training
from examples.clue.run import data_parallel, main, parse
from examples.clue.tasks import NAMES

__all__ = ["tiny_checkpoint"]
SIZES = ["--maxlen=32", "--limit=8", "--batch-size=4", "--epochs=2"]


@pytest.fixture(scope="module")
def arguments(tiny_checkpoint, tmp_path_factory):
    output = tmp_path_factory.mktemp("run") / "runs"
    return [f"--checkpoint={tiny_checkpoint}", f"--output={output}", *SIZES]


@pytest.fixture(scope="module")
def output(arguments):
    """Two tasks, then a second seed of one of them."""
    main([*arguments, "--tasks", "afqmc", "tnews"])
    results = main([*arguments, "--tasks", "tnews", "--seeds", "0", "1"])
    assert [one["seed"] for one in results] == [0, 1]
    return folder.Path(arguments[1].split("=")[1])


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
    assert len(main([*arguments, "--tasks", "afqmc"])) == 1
    assert (output / "table.json").read_bytes() == before
    said = capsys.readouterr().out
    assert "[1/1] afqmc, seed 0: finished before" in said and "train 8" not in said


def test_other_settings_are_refused(output, arguments):
    with pytest.raises(ValueError, match="run.json .*limit was 8 and is now 9"):
        main([*arguments, "--limit=9", "--tasks", "afqmc"])


def test_one_run_at_a_time(output, arguments):
    pytest.importorskip("fcntl")
    settings = json.loads((output / "run.json").read_text("utf-8"))
    with folder.opened(output, settings):
        with pytest.raises(RuntimeError, match="another run is at work"):
            main([*arguments, "--tasks", "afqmc"])
    with folder.opened(output, settings):
        pass  # let go of


def test_without_matplotlib(monkeypatch, capsys):
    monkeypatch.setattr(curves.importlib.util, "find_spec", lambda name: None)
    assert not curves.installed() and "pip install" in capsys.readouterr().out


def result(name, seed, score):
    return {
        "task": name, "seed": seed, "metric": "accuracy", "score": score,
        "scores": {"accuracy": score}, "best_epoch": 1, "majority": 0.25, "epochs": 3,
        "samples": {"train": 5, "dev": 4}, "seconds": 2.0, "examples_per_second": 7.5,
        "peak_memory_mb": None,
    }  # fmt: skip


def test_mean_of_all_tasks(tmp_path):
    for place, name in enumerate(NAMES):
        for seed in (0, 1):
            score = (place + seed) / 20
            where = tmp_path / name / f"seed-{seed}" / "result.json"
            folder.write_json(where, result(name, seed, score))
    text = table.write_table(tmp_path, {"epochs": 3, "family": None})
    mean = 5 * (len(NAMES) - 1) / 2
    assert f"| mean of tasks |  |  | {mean + 2.5:.2f} ± 3.54 |" in text
    assert "epochs 3" in text and "family" not in text
    (tmp_path / "tnews" / "seed-1" / "result.json").unlink()
    assert f"| mean of tasks |  |  | {mean:.2f} |" in table.write_table(tmp_path, {})
    (tmp_path / "tnews" / "seed-0" / "result.json").unlink()
    assert "mean of tasks" not in table.write_table(tmp_path, {})


def test_clock_tells_the_mean_since_the_last_point():
    clock = training.Clock(steps=6, points=3)
    losses = [4.0, 2.0, 3.0, 5.0, 1.0, 7.0]
    for epoch in (losses[:3], losses[3:]):
        clock.on_epoch_begin(0)
        for batch in range(3):
            clock.on_train_batch_begin(batch)
            so_far = epoch[: batch + 1]
            clock.on_train_batch_end(batch, {"loss": sum(so_far) / len(so_far)})
    assert clock.curve == [[2, 3.0], [4, 4.0], [6, 4.0]]


def test_peak_memory_is_that_since_the_reset():
    assert 50 < memory.peak_mb() < 1e6


def test_arguments():
    args = parse(["--smoke", "--limit=3", "--tasks", "tnews", "tnews"])
    assert (args.limit, args.epochs, args.tasks) == (3, 1, ["tnews"])
    assert args.output == "clue_smoke" and SAMPLES.is_dir()
    assert parse(["--seeds", "1", "1"], only="csl").tasks == ["csl"]


def test_devices():
    wrong = "999" if keras.backend.backend() == "jax" else "all"
    with pytest.raises(ValueError, match="--devices"):
        data_parallel(wrong)
