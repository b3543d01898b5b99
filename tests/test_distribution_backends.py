"""Several devices on tensorflow and on torch, as far as Keras allows them."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest
from process_runs import ENVIRONMENT, HERE, run_processes

BACKEND = keras.backend.backend()
pytestmark = pytest.mark.slow


@pytest.mark.skipif(BACKEND != "tensorflow", reason="tensorflow alone")
@pytest.mark.parametrize("optimizer", ["AdamW", "Lamb", "AdaFactor"])
def test_mirrored_devices_learn_what_one_does(optimizer):
    program = [sys.executable, HERE / "mirrored_fit.py", optimizer]
    run = subprocess.run(program, env=ENVIRONMENT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-3000:]
    found = json.loads(run.stdout.splitlines()[-1])
    np.testing.assert_allclose(found["shared"], found["alone"], atol=1e-5)
    assert found["apart"] <= 1e-5


def weights(count, how, folder):
    """What each process of a run on torch learned."""
    folder = folder / f"{how}-{count}"
    folder.mkdir()
    run_processes("torch_processes.py", count, folder, how, folder)
    return [np.load(folder / f"{number}.npz") for number in range(count)]


@pytest.mark.skipif(BACKEND != "torch", reason="torch alone")
def test_processes_of_torch_learn_what_one_does(tmp_path):
    (alone,) = weights(1, "loop", tmp_path)
    for how in ("loop", "fit"):
        for found in weights(2, how, tmp_path):
            for name in alone.files:
                np.testing.assert_allclose(found[name], alone[name], atol=1e-5)
