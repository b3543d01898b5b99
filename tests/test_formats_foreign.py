"""Files of other writers, files of other kinds, and what is said about them."""

import numpy as np
import pytest

from bert4keras3.checkpoints.errors import CheckpointError
from bert4keras3.checkpoints.formats import open_checkpoint, write_checkpoint

ARRAYS = {"b": np.arange(6, dtype="float32").reshape(2, 3), "a": np.array([True])}


def check(checkpoint):
    assert list(checkpoint) == ["a", "b"]
    for name, array in ARRAYS.items():
        found = checkpoint[name].read()
        assert found.dtype == array.dtype
        np.testing.assert_array_equal(found, array)


def test_safetensors_package_both_ways(tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy")
    theirs, ours = tmp_path / "theirs.safetensors", tmp_path / "ours.safetensors"
    safetensors.save_file(ARRAYS, theirs)
    check(open_checkpoint(theirs))
    write_checkpoint(ours, ARRAYS, metadata={"author": "me"})
    found = safetensors.load_file(ours)
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_numpy_both_ways(save, tmp_path):
    save(tmp_path / "theirs.npz", a=ARRAYS["a"], b=np.asfortranarray(ARRAYS["b"]))
    check(open_checkpoint(tmp_path / "theirs.npz"))
    write_checkpoint(tmp_path / "ours.npz", ARRAYS, "npz")
    with np.load(tmp_path / "ours.npz") as found:
        np.testing.assert_array_equal(found["b"], ARRAYS["b"])


def test_pickles_in_npz_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", a=np.array([{"no": "numbers"}]))
    with pytest.raises(CheckpointError, match="only numbers are loaded"):
        open_checkpoint(tmp_path / "a.npz")


@pytest.mark.parametrize("archive", [True, False], ids=["zip", "legacy"])
def test_torch_files(archive, tmp_path):
    torch = pytest.importorskip("torch")
    tensors = {name: torch.tensor(array) for name, array in ARRAYS.items()}
    tensors["b"] = tensors["b"].t().contiguous().t()  # not in C order
    path = tmp_path / "pytorch_model.bin"
    torch.save(tensors, path, _use_new_zipfile_serialization=archive)
    check(open_checkpoint(path))
    check(open_checkpoint(tmp_path))
    torch.save({"epoch": 3, "state_dict": tensors}, tmp_path / "last.ckpt")
    check(open_checkpoint(tmp_path / "last.ckpt"))
    torch.save({"b": tensors["b"].bfloat16()}, path)
    found = open_checkpoint(path)["b"].read().astype("float32")
    np.testing.assert_array_equal(found, ARRAYS["b"])


def test_torch_files_cannot_run_code(tmp_path):
    torch = pytest.importorskip("torch")
    torch.save({"a": print}, tmp_path / "a.bin")
    with pytest.raises(CheckpointError, match="a.bin is not a readable PyTorch"):
        open_checkpoint(tmp_path / "a.bin")
    torch.save({"a": torch.zeros(1), "lr": 0.1}, tmp_path / "b.bin")
    with pytest.raises(CheckpointError, match="'lr' of type float"):
        open_checkpoint(tmp_path / "b.bin")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("model.h5", b"\x89HDF\r\n\x1a\n", "Keras file.*save them as safetensors"),
        ("weights", b"\x89HDF\r\n\x1a\n", "Keras file"),
        ("model.safetensors", b"", "is empty"),
        ("model.safetensors", b"12345", "5 bytes"),
        ("model.safetensors", b"\xff" * 20, "header claims"),
        ("model.safetensors", b"\2\0\0\0\0\0\0\0{]", "not valid JSON"),
        ("model.safetensors", b"\2\0\0\0\0\0\0\0{}abc", "3 bytes of data"),
        ("model.npz", b"PK\5\6" + bytes(18), "first member"),
        ("model.npz", b"no archive", "not a readable .npz"),
        ("model.bin", b"no pickle", "not a readable PyTorch"),
        ("model.index", b"short", "does not end like a checkpoint index"),
        ("model.bin.index.json", b"{}", "weight_map"),
        ("model.xyz", b"whatever", "no known format"),
    ],
)
def test_errors_name_the_file_and_the_reason(name, content, message, tmp_path):
    if name == "model.bin":
        pytest.importorskip("torch")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=f"(?s){name}.*{message}"):
        open_checkpoint(tmp_path / name)


def test_nothing_there(tmp_path):
    with pytest.raises(CheckpointError, match="no such file.*no gone.index"):
        open_checkpoint(tmp_path / "gone")
    with pytest.raises(CheckpointError, match="holds no checkpoint.*nothing"):
        open_checkpoint(tmp_path)
    with pytest.raises(TypeError, match="expected a path or a mapping"):
        open_checkpoint(3)
    with pytest.raises(KeyError, match="no tensor 'c'.*2 others"):
        open_checkpoint(ARRAYS)["c"]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"format": "h5"}, ValueError, "safetensors, tf, npz, received 'h5'"),
        ({"format": "npz", "metadata": {"a": "b"}}, ValueError, "only for format"),
        ({"format": "npz"}, ValueError, "ends in .npz"),
        ({"metadata": {"a": 1}}, TypeError, "from text to text"),
        ({"max_shard_size": "2 parsecs"}, ValueError, "received '2 parsecs'"),
        ({"max_shard_size": 0}, ValueError, "positive"),
        ({"arrays": {"": 1}}, CheckpointError, "cannot be a tensor name"),
        ({"arrays": {1: 1}}, TypeError, "names as text"),
        ({"arrays": {"__metadata__": 1}}, CheckpointError, "reserved"),
    ],
)
def test_bad_requests_to_write(options, error, message, tmp_path):
    request = {"path": tmp_path / "a.safetensors", "arrays": ARRAYS} | options
    with pytest.raises(error, match=message):
        write_checkpoint(**request)
    assert list(tmp_path.iterdir()) == []
