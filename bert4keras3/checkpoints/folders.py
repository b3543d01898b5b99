"""Which file of a folder is the checkpoint, and which format a file has."""

from pathlib import Path

from bert4keras3.checkpoints.errors import CheckpointError
from bert4keras3.checkpoints.lazy import map_file
from bert4keras3.checkpoints.tf_bundle import tf_prefix

# In order of preference; the first group with a match decides.
_PATTERNS = (
    ("model.safetensors",),
    ("model.safetensors.index.json",),
    ("*.safetensors.index.json",),
    ("*.safetensors",),
    ("pytorch_model.bin",),
    ("pytorch_model.bin.index.json",),
    ("bert_model.ckpt.index",),
    ("*.index",),
    ("*.npz",),
    ("*.h5", "*.hdf5"),
)
_BY_SUFFIX = {
    ".safetensors": "safetensors",
    ".npz": "npz",
    ".bin": "bin",
    ".pt": "bin",
    ".pth": "bin",
    ".index": "tf",
}
_KERAS_SUFFIXES = (".h5", ".hdf5", ".keras")
_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"


def file_in_folder(folder: Path) -> Path:
    """Return the checkpoint file of a folder, safetensors before all others.

    Raises:
        CheckpointError: none is there, or several are equally good.
    """
    for patterns in _PATTERNS:
        found = sorted(file for glob in patterns for file in folder.glob(glob))
        if len(found) == 1:
            return found[0]
        if found:
            raise CheckpointError(
                f"{folder} holds several checkpoints ({_some(found)}); pass the path "
                "of one of them, or add the missing index of a checkpoint in shards"
            )
    raise CheckpointError(
        f"{folder} holds no checkpoint (it holds {_some(sorted(folder.iterdir()))}); "
        "expected a .safetensors, .bin, .index or .npz file"
    )


def sniff(path: Path) -> str:
    """Return the format of a path: tf, npz, bin, safetensors or sharded.

    Raises:
        CheckpointError: nothing is there, or the format is unknown.
    """
    prefix = tf_prefix(path)
    if prefix.with_name(prefix.name + ".index").is_file():
        return "tf"
    if path.name.endswith(".index.json"):
        return "sharded"
    if path.suffix in _KERAS_SUFFIXES:
        raise _keras_file(path)
    if path.suffix in _BY_SUFFIX:
        return _BY_SUFFIX[path.suffix]
    if prefix != path or not path.is_file():
        raise CheckpointError(
            f"{path}: no such file or folder, and no {prefix.name}.index beside it; "
            "expected a file, a folder or a TensorFlow prefix such as bert_model.ckpt"
        )
    return _by_content(path)


def _by_content(path: Path) -> str:
    """Return the format of a file whose name does not tell it."""
    start = map_file(path)[:9].tobytes()
    if start.startswith(_HDF5_MAGIC):
        raise _keras_file(path)
    if start[8:] == b"{":
        return "safetensors"
    # A pickle of protocol 2 is what torch.save wrote before version 1.6.
    if start[:2] == b"\x80\x02":
        return "bin"
    if start[:4] == b"PK\3\4":
        # The first member of a PyTorch archive is `<folder>/data.pkl`.
        return "bin" if b"/data.pkl" in map_file(path)[:512].tobytes() else "npz"
    raise CheckpointError(
        f"{path} is of no known format (or is damaged); expected "
        "safetensors, .npz, a PyTorch file or a TensorFlow V2 checkpoint"
    )


def _keras_file(path: Path) -> CheckpointError:
    return CheckpointError(
        f"{path} is a Keras file, which does not name its tensors like a checkpoint; "
        "build the model with the library that wrote it, load the weights there and "
        "save them as safetensors or as a TensorFlow checkpoint"
    )


def _some(files: list[Path]) -> str:
    names = ", ".join(file.name for file in files[:5])
    return (names or "nothing") + (", …" if len(files) > 5 else "")
