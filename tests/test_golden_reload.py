"""Every model still equals the original after .keras and a fresh process."""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from golden_model import ALL_QUICK_FIRST, Case

CHILD = """
import pathlib, sys
import keras, numpy as np
import bert4keras3

for path in sorted(pathlib.Path(sys.argv[1]).glob("*.keras")):
    model = keras.models.load_model(path)
    inputs = np.load(path.with_suffix(".inputs.npz"))
    inputs = [inputs[str(i)] for i in range(len(inputs.files))]
    outputs = model(inputs if len(inputs) > 1 else inputs[0])
    outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    arrays = [keras.ops.convert_to_numpy(x) for x in outputs]
    named = {f"output_{i}": array for i, array in enumerate(arrays)}
    np.savez(path.with_suffix(".outputs.npz"), **named)
"""


@pytest.fixture(scope="module")
def reloaded(tmp_path_factory, request):
    """Folder with the outputs of the selected models, reloaded in one child process."""
    folder = tmp_path_factory.mktemp("saved")
    items = [item for item in request.session.items if item.path == request.path]
    for name in (item.callspec.params["name"] for item in items):
        case = Case(name)
        case.build().model.save(folder / f"{name}.keras")
        inputs = case.model_inputs()
        inputs = inputs if isinstance(inputs, list) else [inputs]
        numbered = {str(i): array for i, array in enumerate(inputs)}
        np.savez(folder / f"{name}.inputs.npz", **numbered)
    root = pathlib.Path(__file__).resolve().parents[1]
    run = subprocess.run(
        [sys.executable, "-c", CHILD, str(folder)],
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    return folder


@pytest.mark.parametrize("name", ALL_QUICK_FIRST)
def test_equals_the_recording(name, reloaded):
    Case(name).check(dict(np.load(reloaded / f"{name}.outputs.npz")))
