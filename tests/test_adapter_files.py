"""What LoRA and prompt tokens trained, in files; weight files with and without it."""

import json

import numpy as np
import pytest
from keras import ops
from test_lora import ALL, shake
from tiny_models import batch, build

from bert4keras3.checkpoints.errors import CheckpointError
from bert4keras3.checkpoints.formats import open_checkpoint, write_checkpoint
from bert4keras3.models.adapters import variables_of


def out(t):
    return ops.convert_to_numpy(t.model(batch()))


@pytest.fixture
def t():
    t = build("bert", with_mlm="linear")
    t.enable_lora(2, ALL, alpha=4, train="^MLM-Bias")
    t.merge_lora()
    t.enable_lora(2, ALL, alpha=4, train="^MLM-Bias")
    shake(t)
    return t


def plain(seed=0):
    return build("bert", with_mlm="linear", seed=seed)


def test_contents(t, tmp_path):
    path = t.save_adapter(tmp_path / "a.safetensors")
    assert path.stat().st_size < 10_000
    with open_checkpoint(path) as file:
        held = set(file)
        settings = json.loads(file.metadata["bert4keras3.adapter"])
    assert held == {n for n, v in variables_of(t).items() if v.trainable}
    assert settings["lora"]["Transformer-1-FeedForward/i0"] == [2, 4.0]
    assert settings["prompt_ids"] == []
    with pytest.raises(CheckpointError, match="exists"):
        t.save_adapter(path)
    again = plain()
    again.load_adapter(path)
    assert {n for n, v in variables_of(again).items() if v.trainable} == held
    np.testing.assert_array_equal(out(again), out(t))
    shake(t, 1.0)
    t.load_adapter(path)  # into one that has the same
    np.testing.assert_array_equal(out(again), out(t))


def values(t):
    return {n: ops.convert_to_numpy(v) for n, v in variables_of(t).items()}


def broken(t, path, change):
    """The adapter of `t` after `change(arrays, settings)`, at `path`."""
    with open_checkpoint(t.save_adapter(path)) as file:
        arrays = {name: np.array(file[name].read()) for name in file}
        settings = json.loads(file.metadata["bert4keras3.adapter"])
    change(arrays, settings)
    metadata = {"bert4keras3.adapter": json.dumps(settings)}
    return write_checkpoint(path, arrays, metadata=metadata, overwrite=True)[0]


NAME = "Transformer-0-FeedForward/o/lora_kernel_b"


def rename(arrays, settings):
    arrays["Transformer-9-FeedForward/o/lora_kernel_b"] = arrays.pop(NAME)


def cut(arrays, settings):
    arrays[NAME] = arrays[NAME][:, :-1]


def drop(arrays, settings):
    del arrays[NAME]


def realpha(arrays, settings):
    settings["lora"]["Transformer-0-FeedForward/o"] = [2, 5.0]


@pytest.mark.parametrize(
    ("change", "word", "target"),
    [
        (rename, "nearest are: Transformer-", "plain"),
        (rename, "no place for", "same"),
        (cut, "shape", "plain"),
        (cut, "shape", "same"),
        (drop, "missing", "plain"),
        (realpha, "other settings", "same"),
    ],
)
def test_nothing_is_half_loaded(t, tmp_path, change, word, target):
    path = broken(t, tmp_path / "a.safetensors", change)
    model = t if target == "same" else plain()
    shake(t, 1.0)
    before = values(model)
    with pytest.raises(CheckpointError, match=word):
        model.load_adapter(path)
    after = values(model)
    assert before.keys() == after.keys()
    assert all((before[name] == after[name]).all() for name in before)


def test_files_that_are_none(t, tmp_path):
    path = tmp_path / "a.safetensors"
    write_checkpoint(path, {"x": np.zeros(3)})
    with pytest.raises(CheckpointError, match="no adapter"):
        t.load_adapter(path)
    path = t.save_adapter(path, overwrite=True)
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="checksum"):
        t.load_adapter(path)
    with pytest.raises(ValueError, match="neither LoRA nor prompt"):
        plain().save_adapter(tmp_path / "b.safetensors")
