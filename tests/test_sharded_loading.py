"""Loading into weights that lie on a mesh: the same numbers, and checks in turns."""

import keras
import numpy as np
import pytest
from keras import ops
from tiny_models import build

from bert4keras3.checkpoints.errors import CheckpointError
from bert4keras3.checkpoints.formats import open_checkpoint
from bert4keras3.models import build_transformer_model, model_parallel, weights

JAX = keras.backend.backend() == "jax"


def values(t):
    return {name: ops.convert_to_numpy(v.value) for name, v in t.variables().items()}


@pytest.mark.skipif(not JAX, reason="jax alone")
@pytest.mark.parametrize("format, dtype", [("hf", "float16"), ("tf", None)])
def test_weights_of_a_mesh(format, dtype, tmp_path):
    keep = [0, 7, 3, 9]
    build("bert", with_mlm="linear").save(tmp_path, format=format, dtype=dtype)
    arguments = {"with_mlm": "linear", "keep_tokens": keep, "return_keras_model": False}
    alone = build_transformer_model(str(tmp_path), **arguments)
    with model_parallel(str(tmp_path), (1, 1), keep_tokens=keep).scope():
        there = build_transformer_model(str(tmp_path), **arguments)
    expected, found = values(alone), values(there)
    kernel = there.variables()["Transformer-0-FeedForward/o/kernel"]
    assert tuple(kernel.value.sharding.spec) == ("model", None)
    for name in expected:
        assert found[name].dtype == np.float32
        np.testing.assert_array_equal(found[name], expected[name])
    there.save(tmp_path / "again", format=format)
    with open_checkpoint(tmp_path / "again") as again:
        with open_checkpoint(tmp_path) as source:
            assert sorted(again) == sorted(source)


@pytest.mark.parametrize("format", ["hf", "tf"])
def test_processes_compare_checksums_in_turns(format, tmp_path, monkeypatch):
    build("bert").save(tmp_path, format=format)
    end = {"hf": "model.safetensors", "tf": "bert_model.ckpt.data-00000-of-00001"}
    path = tmp_path / end[format]
    damaged = bytearray(path.read_bytes())
    damaged[-1] ^= 1
    path.write_bytes(damaged)
    monkeypatch.setattr(weights, "process", lambda: (1, 3))
    raised = {}
    for elsewhere in (True, False):
        monkeypatch.setattr(weights, "is_elsewhere", lambda v, found=elsewhere: found)
        for place in range(3):
            raised[elsewhere, place] = 0
            with open_checkpoint(tmp_path) as source:
                for lazy in source.values():
                    try:
                        assert weights.stored(lazy, place, None).shape == lazy.shape
                    except CheckpointError:
                        raised[elsewhere, place] += 1
    assert [raised[True, place] for place in range(3)] == [0, 1, 0]
    assert [raised[False, place] for place in range(3)] == [1, 1, 1]
