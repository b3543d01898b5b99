"""Several processes save, resume and fail together."""

import keras
import numpy as np
import pytest
from process_runs import run_processes

pytestmark = pytest.mark.skipif(keras.backend.backend() != "jax", reason="jax alone")
slow = pytest.mark.slow


@slow
@pytest.mark.parametrize("mode", ["data", "model"])
def test_two_processes_resume_where_they_were_cut_off(mode, tmp_path):
    run_processes("distributed_resume.py", 2, tmp_path, mode, tmp_path)
    first, second = (np.load(tmp_path / f"{number}.npz") for number in range(2))
    assert (first["cut"] > 0) == (mode == "model")
    assert (first["whole began"], first["resumed began"]) == (0, 8)
    names = [name for name in first.files if name.startswith("whole/")]
    assert len(names) > 10
    for name in names:
        resumed = first[name.replace("whole", "resumed")]
        np.testing.assert_allclose(resumed, first[name], atol=1e-5)
        np.testing.assert_allclose(second[name], first[name], atol=1e-5)
    kept = sorted(path.name for path in (tmp_path / "resumed").iterdir())
    assert kept == ["step-000000022.safetensors", "step-000000024.safetensors"]


@slow
def test_two_processes_save_and_fail_together(tmp_path):
    run_processes("distributed_saves.py", 2, tmp_path, tmp_path)
    for number in range(2):
        found = np.load(tmp_path / f"{number}.npz")
        saved, damaged, *adapter = found["errors"]
        assert saved.startswith("ValueError: ") and "overwrite=True" in saved
        assert damaged.startswith("CheckpointError: ")
        assert adapter[0] == "none" and adapter[1].startswith("CheckpointError: ")
        assert found["changed"] == found["left"] == found["adapter"] == 0 < found["cut"]
        trained = [name for name in found.files if name.startswith("trained/")]
        for name in trained:
            loaded = found[name.replace("trained", "loaded")]
            np.testing.assert_array_equal(loaded, found[name])
