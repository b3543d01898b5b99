"""Several devices, or processes, learn what one learns; each loads its own part."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from process_runs import HERE, run_processes, with_devices
from tiny_models import CONFIG

from bert4keras3.checkpoints.formats import open_checkpoint
from bert4keras3.models import build_transformer_model

pytestmark = pytest.mark.skipif(keras.backend.backend() != "jax", reason="jax alone")
slow = pytest.mark.slow


def told(program, *arguments):
    """The last line that a program of this folder prints."""
    return json.loads(with_devices(8, HERE / program, *arguments).splitlines()[-1])


@pytest.mark.parametrize(
    "family, rows, columns",
    [
        ("bert", 2, 4),
        pytest.param("bert", 8, 0, marks=slow),  # data parallel
        pytest.param("t5.1.1", 2, 4, marks=slow),
        pytest.param("gpt", 2, 4, marks=slow),
    ],
)
def test_eight_devices_learn_what_one_does(family, rows, columns):
    found = told("distributed_fit.py", family, rows, columns)
    assert len(found["alone"]) == 10
    np.testing.assert_allclose(found["shared"], found["alone"], atol=1e-5)
    assert found["apart"] <= 1e-5
    # Adam's two moments and the collected gradient lie where the weight lies.
    assert found["state"] == 3 * found["cut"]
    assert (found["cut"] > 10) == (columns > 0)


@slow
@pytest.mark.parametrize(
    "name, mesh",
    [("packed", ()), ("language", ()), ("language", ("cut",)), ("masked", ("cut",))],
)
def test_what_the_library_puts_around_fit(name, mesh, tmp_path):
    found = told("distributed_methods.py", name, tmp_path, *mesh)
    np.testing.assert_allclose(found["shared"], found["alone"], rtol=1e-6)
    assert found["apart"] <= 2e-5
    assert (found["cut"] > 5) == bool(mesh)


def processes(count, mode, checkpoint, folder, steps):
    """What every process of a run wrote."""
    folder.mkdir()
    arguments = (mode, checkpoint, folder, steps)
    run_processes("distributed_process.py", count, folder, *arguments)
    return [np.load(folder / f"{number}.npz") for number in range(count)]


def saved(folder):
    with open_checkpoint(folder / "saved") as source:
        return {name: np.array(source[name].read()) for name in source}


@slow
@pytest.mark.parametrize("format", ["hf", "tf"])
def test_two_processes_learn_what_one_does(format, tmp_path):
    tiny = build_transformer_model(
        **CONFIG, with_mlm="linear", return_keras_model=False
    )
    tiny.save(tmp_path / "tiny", format=format)
    (alone,) = processes(1, "alone", tmp_path / "tiny", tmp_path / "alone", 4)
    expected = saved(tmp_path / "alone")
    for mode in ("data", "model"):
        found = processes(2, mode, tmp_path / "tiny", tmp_path / mode, 4)
        for one in found:
            np.testing.assert_allclose(one["losses"], alone["losses"], atol=1e-5)
            assert (one["share"] < 0.7) == (mode == "model")
        assert [one["files"] > 0 for one in found] == [True, False]
        weights = saved(tmp_path / mode)
        assert sorted(weights) == sorted(expected)
        for name in expected:
            np.testing.assert_allclose(weights[name], expected[name], atol=1e-5)


@slow
@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="Linux alone")
def test_a_process_reads_its_own_part(tmp_path):
    sizes = {"hidden_size": 768, "num_attention_heads": 12, "intermediate_size": 3072}
    sizes.update(vocab_size=21128, num_hidden_layers=12, max_position=512)
    t = build_transformer_model(**sizes, with_mlm=True, return_keras_model=False)
    t.save(tmp_path / "base")
    took = {}
    for mode in ("data", "model"):
        found = processes(2, mode, tmp_path / "base", tmp_path / mode, 0)
        took[mode] = max(np.ptp(one["memory"]) for one in found)
    assert took["data"] > 380
    assert took["model"] <= 0.6 * took["data"], took
