"""Several devices on tensorflow and on torch, as far as Keras allows them."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

HERE = Path(__file__).resolve().parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(HERE.parent)}
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
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started, files = [], [folder / f"{how}-{count}-{i}.npz" for i in range(count)]
    for number, file in enumerate(files):
        arguments = map(str, (port, number, count, how, file))
        program = [sys.executable, HERE / "torch_processes.py", *arguments]
        started.append(subprocess.Popen(program, env=ENVIRONMENT))
    assert [one.wait(300) for one in started] == [0] * count
    return [np.load(file) for file in files]


@pytest.mark.skipif(BACKEND != "torch", reason="torch alone")
def test_processes_of_torch_learn_what_one_does(tmp_path):
    (alone,) = weights(1, "loop", tmp_path)
    for how in ("loop", "fit"):
        for found in weights(2, how, tmp_path):
            for name in alone.files:
                np.testing.assert_allclose(found[name], alone[name], atol=1e-5)
