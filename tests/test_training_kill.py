"""A training process killed at a random moment, and started again."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

TESTS = Path(__file__).resolve().parent


def started(folder, result, seconds):
    environment = {**os.environ, "PYTHONPATH": f"{TESTS.parent}{os.pathsep}{TESTS}"}
    return subprocess.Popen(
        [sys.executable, "resumed_training.py", folder, result, "bucketed", seconds],
        cwd=TESTS,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def finished(folder, result):
    assert started(folder, result, "0").wait(300) == 0
    with np.load(result) as arrays:
        return [arrays[name].tobytes() for name in arrays.files]


def wait_for_save(folder, process):
    """Until the process has begun to train, however long it took to import."""
    while not (folder.is_dir() and any(folder.iterdir())):
        assert process.poll() is None, "the training ended before its first save"
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize("count", [int(os.environ.get("KILLS", "2"))])
def test_killed_at_random_moments_is_uninterrupted(count, tmp_path):
    whole = finished(tmp_path / "whole", tmp_path / "whole.npz")
    chance = random.Random(count)
    for number in range(count):
        folder = tmp_path / f"cut{number}"
        process = started(folder, tmp_path / "never.npz", "0.05")
        wait_for_save(folder, process)
        time.sleep(chance.uniform(0, 1.2))
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert finished(folder, tmp_path / f"{number}.npz") == whole
