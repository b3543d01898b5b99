"""The numbers of CLUE's table: means, deviations, losses by step, memory."""

from examples.clue import folder, memory, table, training
from examples.clue.tasks import NAMES


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
