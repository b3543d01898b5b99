"""A damaged checkpoint loads equal data or raises CheckpointError, nothing else."""

import shutil

import numpy as np
import pytest

from bert4keras3.checkpoints.errors import CheckpointError
from bert4keras3.checkpoints.formats import open_checkpoint, write_checkpoint

MUTATIONS_PER_KIND = 125
KINDS = {
    "tf": {"path": "model.ckpt", "format": "tf"},
    "npz": {"path": "model.npz", "format": "npz"},
    "safetensors": {"path": "model.safetensors"},
    "sharded": {"path": "model.safetensors", "max_shard_size": 700},
    "bin": {"path": "pytorch_model.bin"},
}


def some_arrays():
    rng = np.random.default_rng(1)
    arrays = {
        f"bert/encoder/layer_{i}/{part}": rng.standard_normal(shape).astype("float32")
        for i in range(3)
        for part, shape in {"kernel": (8, 12), "bias": (12,)}.items()
    }
    words = rng.integers(97, 122, (4, 30), np.uint8)  # letters: look like a header
    return arrays | {"step": np.int64(7), "mask": np.eye(3) > 0, "words": words}


def write(path, **options):
    """Write `some_arrays` to a path; returns the files, the entry point last."""
    if path.suffix != ".bin":
        return write_checkpoint(path, some_arrays(), **options)
    torch = pytest.importorskip("torch")
    path.parent.mkdir()
    arrays = some_arrays().items()
    torch.save({name: torch.from_numpy(np.array(one)) for name, one in arrays}, path)
    return [path]


def truncate(rng, data):
    return data[: rng.integers(len(data))]


def flip(rng, data):
    data[rng.integers(len(data))] ^= np.uint8(rng.integers(1, 256))
    return data


def swap(rng, data):
    """Exchange two ranges that do not overlap, of 1 to 1/3 of the file."""
    size = int(max(1, (len(data) // 3) ** rng.random()))
    first = rng.integers(len(data) - 2 * size + 1)
    second = rng.integers(first + size, len(data) - size + 1)
    one, other = data[first:][:size].copy(), data[second:][:size].copy()
    data[first:][:size], data[second:][:size] = other, one
    return data


def mutate(rng, folder):
    """Damage one file of a folder and say how."""
    files = sorted(folder.iterdir())
    file = files[rng.integers(len(files))]
    how = rng.choice(["truncate", "flip", "flip", "swap", "swap", "rename", "missing"])
    if how == "missing":
        file.unlink()
    elif how == "rename":
        other = files[rng.integers(len(files))]
        file.replace(other if other != file else file.with_name("x" + file.name))
    else:
        data = np.fromfile(file, np.uint8)
        {"truncate": truncate, "flip": flip, "swap": swap}[how](rng, data).tofile(file)
    return f"{how} {file.name}"


def load(path):
    with open_checkpoint(path) as checkpoint:
        return {
            name: (array.dtype.name, array.shape, array.read().tobytes())
            for name, array in checkpoint.items()
        }


@pytest.mark.parametrize("by_folder", [False, True], ids=["path", "folder"])
@pytest.mark.parametrize("kind", KINDS)
def test_no_damage_passes_unseen(kind, by_folder, tmp_path):
    original, broken = tmp_path / "original", tmp_path / "broken"
    options = KINDS[kind] | {"path": original / KINDS[kind]["path"]}
    paths = write(**options)
    name = "" if by_folder else paths[-1].name  # the last one is the entry point
    expected = load(original / name)
    refused = 0
    rng = np.random.default_rng([by_folder, *kind.encode()])
    for number in range(MUTATIONS_PER_KIND // 2 + 1):
        shutil.rmtree(broken, ignore_errors=True)
        shutil.copytree(original, broken)
        how = mutate(rng, broken)
        try:
            found = load(broken / name)
        except CheckpointError as error:
            assert str(broken) in str(error), "the error does not name the file"
            refused += 1
            continue
        assert found == expected, f"mutation {number} ({how}) loaded other data"
    # Most damage must be noticed; a renamed file in a folder may be harmless.
    assert refused > MUTATIONS_PER_KIND // 4


def test_the_mutations_are_seen_without_the_library(tmp_path):
    rng = np.random.default_rng(0)
    data = np.arange(200, dtype=np.uint8)
    for change in (truncate, flip, swap):
        assert not np.array_equal(change(rng, data.copy()), data)
