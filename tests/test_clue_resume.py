"""A run of CLUE that is cut off goes on and ends in the same table."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
from clue_helpers import SAMPLES, tiny_checkpoint
from clue_toy import ToyAFQMC

from examples.clue import training
from examples.clue.task import Options

__all__ = ["tiny_checkpoint"]
ROOT = Path(__file__).resolve().parents[1]
MEASURED = ("seconds", "examples_per_second", "peak_memory_mb")


def without_times(value):
    """What must be the same."""
    if isinstance(value, list):
        return [without_times(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {k: without_times(v) for k, v in value.items() if k not in MEASURED}


def outcome(folder):
    """{file: content} of a run or a training, without the times."""
    return {
        str(path.relative_to(folder)): without_times(json.loads(path.read_text()))
        if path.name in ("result.json", "table.json")
        else path.read_bytes()
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file() and path.suffix not in (".png", ".md")
    }


class Cut(BaseException):
    """As a kill: nobody catches it."""


def cut(*args, **kwargs):
    raise Cut


def test_a_training_goes_on(tmp_path, monkeypatch):
    task = ToyAFQMC(Options(SAMPLES, epochs=3, batch_size=2))
    # A point for every three steps: at the save, their total is as at the beginning.
    monkeypatch.setattr(training, "Clock", partial(training.Clock, points=9))
    whole = training.train(task, 3, tmp_path / "whole", 2, verbose=0)
    assert [step for step, _ in whole["curve"]["loss"]] == list(range(3, 28, 3))
    clock, folder = training.Clock.func, tmp_path / "cut"
    done = clock.on_train_batch_end

    def stops(self, batch, logs=None):
        done(self, batch, logs)
        if self.steps == 13:  # in the second epoch, one after a save
            raise Cut

    with monkeypatch.context() as patch, pytest.raises(Cut):
        patch.setattr(clock, "on_train_batch_end", stops)
        training.train(task, 3, folder, 2, verbose=0)
    with monkeypatch.context() as patch, pytest.raises(Cut):
        patch.setattr(training, "write_answers", cut)
        training.train(task, 3, folder, 2, verbose=0)
    assert training.finished(folder) is None
    training.train(task, 3, folder, 2, verbose=0)
    assert outcome(folder) == outcome(tmp_path / "whole")


def test_what_a_finished_training_needs_no_more(tmp_path, monkeypatch):
    """The process died between the result and the removal of its checkpoint."""
    monkeypatch.setattr(training, "measured", lambda *_: {"score": 1.0})
    training.train(None, 0, tmp_path)
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / training.BEST).touch()
    monkeypatch.setattr(training, "measured", None)
    assert training.train(None, 0, tmp_path) == {"score": 1.0}
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]


def started(checkpoint, output):
    sizes = ["--maxlen=32", "--epochs=20", "--batch-size=2", "--save-every=3"]
    seeds = ["--seeds", "0", "1", "--tasks", "afqmc", "tnews"]
    return subprocess.Popen(
        [sys.executable, "-m", "examples.clue.run", f"--checkpoint={checkpoint}"]
        + [f"--data={SAMPLES}", f"--output={output}", *sizes, *seeds],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def finished(checkpoint, output):
    process = started(checkpoint, output)
    process.communicate(timeout=600)
    assert process.returncode == 0
    return outcome(output)


def killed(process, seconds):
    """Whether it was still at work so long after its first training had begun."""
    while not process.stdout.readline().startswith("[1/4]"):
        assert process.poll() is None, "it ended before the first training"
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return process.returncode == -signal.SIGKILL


@pytest.mark.slow
@pytest.mark.parametrize("count", [int(os.environ.get("KILLS", "2"))])
def test_killed_at_random_moments_is_uninterrupted(count, tiny_checkpoint, tmp_path):
    """`count` kills, one after the other; a run that ends in between is compared."""
    whole, chance = finished(tiny_checkpoint, tmp_path / "whole"), random.Random(count)
    kills = runs = 0
    while kills < count:
        output = tmp_path / f"run-{runs}"
        if killed(started(tiny_checkpoint, output), chance.uniform(0, 6)):
            kills += 1
        else:
            assert finished(tiny_checkpoint, output) == whole
            runs += 1
    assert finished(tiny_checkpoint, tmp_path / f"run-{runs}") == whole
