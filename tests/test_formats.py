"""Every format through the same two functions: open and write."""

import json
import os
from importlib.util import find_spec

import numpy as np
import pytest

from bert4keras3.checkpoints.atomic import atomic_path
from bert4keras3.checkpoints.errors import CheckpointError
from bert4keras3.checkpoints.formats import open_checkpoint, write_checkpoint

ARRAYS = {
    "encoder/kernel": np.arange(12, dtype="float32").reshape(3, 4),
    "encoder/bias": np.arange(4, dtype="float16"),
    "empty": np.zeros((0, 2), "float64"),
    "mask": np.array([[True, False]]),
    "step": np.int64(5),
}
FILES = {"safetensors": "model.safetensors", "tf": "bert_model.ckpt", "npz": "a.npz"}


def check(checkpoint, arrays):
    assert list(checkpoint) == sorted(arrays)
    for name, array in arrays.items():
        lazy = checkpoint[name]
        found = lazy.read()
        assert (lazy.name, lazy.nbytes) == (name, array.nbytes)
        assert found.dtype == lazy.dtype == array.dtype
        assert found.shape == lazy.shape == array.shape
        assert not found.flags.writeable
        np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize("format", FILES)
def test_round_trip_by_file_and_by_folder(format, tmp_path):
    path = tmp_path / "new" / FILES[format]
    paths = write_checkpoint(path, ARRAYS, format)
    assert sorted(path.parent.iterdir()) == sorted(paths)
    for source in (path, str(path), path.parent):
        with open_checkpoint(source) as checkpoint:
            assert checkpoint.format == format
            assert checkpoint.path == path
            check(checkpoint, ARRAYS)


@pytest.mark.parametrize("format", FILES)
def test_existing_files_are_kept_unless_told(format, tmp_path):
    path = tmp_path / FILES[format]
    write_checkpoint(path, {"a": np.zeros(2)}, format)
    with pytest.raises(CheckpointError, match="overwrite=True"):
        write_checkpoint(path, ARRAYS, format)
    before = open_checkpoint(path)["a"].read()
    write_checkpoint(path, ARRAYS, format, overwrite=True)
    check(open_checkpoint(path), ARRAYS)
    assert before.tolist() == [0, 0]  # what was read stays valid


@pytest.mark.parametrize("format", FILES)
def test_a_failed_write_leaves_everything_as_it_was(format, tmp_path):
    path = tmp_path / FILES[format]
    write_checkpoint(path, ARRAYS, format)
    files = {file: file.read_bytes() for file in tmp_path.iterdir()}
    bad = {"a": np.zeros(2), "z": np.array(["text"])}
    with pytest.raises(CheckpointError, match="'z'.*numbers only"):
        write_checkpoint(path, bad, format, overwrite=True)
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == files


def test_mapping_and_checkpoint_as_source(tmp_path):
    checkpoint = open_checkpoint(ARRAYS)
    check(checkpoint, ARRAYS)
    assert open_checkpoint(checkpoint) is checkpoint
    # A checkpoint is a mapping of arrays to write, too: conversion in one line.
    write_checkpoint(tmp_path / "b.ckpt", checkpoint, "tf")
    check(open_checkpoint(tmp_path / "b.ckpt"), ARRAYS)
    checkpoint.close()
    with pytest.raises(CheckpointError, match="closed"):
        checkpoint["step"]


def test_shards(tmp_path):
    path = tmp_path / "model.safetensors"
    paths = write_checkpoint(path, ARRAYS, max_shard_size=50, metadata={"k": "v"})
    index = tmp_path / "model.safetensors.index.json"
    assert paths[-1] == index
    assert paths[0].name == "model-00001-of-00003.safetensors"
    total = sum(array.nbytes for array in ARRAYS.values())
    assert json.loads(index.read_text())["metadata"] == {"total_size": total}
    for source in (index, tmp_path):
        check(open_checkpoint(source), ARRAYS)
        assert open_checkpoint(source).metadata == {"k": "v", "format": "pt"}
    # A single file must not stay beside new shards, which it would hide, or the
    # other way round.
    write_checkpoint(path, {"a": np.ones(2)}, overwrite=True)
    assert list(tmp_path.iterdir()) == [path]
    write_checkpoint(path, ARRAYS, max_shard_size="1KB", overwrite=True)
    assert list(tmp_path.iterdir()) == [path]
    paths[0].write_bytes(path.read_bytes())
    path.unlink()
    index.write_text(json.dumps({"weight_map": {"step": paths[0].name}}))
    with pytest.raises(CheckpointError, match="disagree about tensors.*empty"):
        open_checkpoint(index)
    index.write_text('{"weight_map": {"step": "../step.safetensors"}}')
    with pytest.raises(CheckpointError, match="not the name of a file beside it"):
        open_checkpoint(index)


def test_folder_with_two_candidates_is_refused(tmp_path):
    write_checkpoint(tmp_path / "a.ckpt", ARRAYS, "tf")
    write_checkpoint(tmp_path / "b.ckpt", ARRAYS, "tf")
    with pytest.raises(CheckpointError, match="a.ckpt.index, b.ckpt.index"):
        open_checkpoint(tmp_path)
    write_checkpoint(tmp_path / "model.safetensors", {"a": np.ones(1)})
    assert open_checkpoint(tmp_path).format == "safetensors"


@pytest.mark.skipif(find_spec("ml_dtypes") is None, reason="needs ml_dtypes")
def test_bfloat16(tmp_path):
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    arrays = {"a": np.arange(6).astype(bfloat16)}
    for format in ("safetensors", "tf"):
        path = tmp_path / FILES[format]
        write_checkpoint(path, arrays, format)
        check(open_checkpoint(path), arrays)
    with pytest.raises(CheckpointError, match="bfloat16, which .npz cannot hold"):
        write_checkpoint(tmp_path / "a.npz", arrays, "npz")


def test_atomic_path_removes_its_file_after_an_error(tmp_path):
    with pytest.raises(ZeroDivisionError), atomic_path(tmp_path / "a") as temporary:
        temporary.write_text("half")
        1 / 0  # noqa: B018
    assert os.listdir(tmp_path) == []
