"""Checkpoints of every supported format behind one mapping: open and write."""

import os
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

from bert4keras3.checkpoints.atomic import atomic_path, atomic_paths
from bert4keras3.checkpoints.errors import CheckpointError
from bert4keras3.checkpoints.folders import file_in_folder, sniff
from bert4keras3.checkpoints.lazy import Checkpoint, LazyArray
from bert4keras3.checkpoints.npz_file import read_npz, write_npz
from bert4keras3.checkpoints.safetensors_file import (
    read_safetensors,
    write_safetensors,
)
from bert4keras3.checkpoints.sharded import (
    parse_size,
    read_sharded,
    split,
    write_index,
)
from bert4keras3.checkpoints.tf_bundle import read_tf_bundle
from bert4keras3.checkpoints.tf_bundle_writer import write_tf_bundle
from bert4keras3.checkpoints.torch_file import read_torch
from bert4keras3.checkpoints.writing import (
    checked_names,
    refuse_existing,
    to_array,
)

FORMATS = ("safetensors", "tf", "npz")


def open_checkpoint(source, verify: bool = True) -> Checkpoint:
    """Open a checkpoint of any supported format; arrays are read when asked for.

    Args:
        source: one of
            a mapping from name to array, or a Checkpoint, which is returned as it is;
            a `.safetensors`, `.npz`, `.bin`, `.pt` or `.pth` file;
            a `….index.json` file of a checkpoint in several files;
            a TensorFlow prefix such as `bert_model.ckpt`, or its `.index` file;
            a folder that holds one of these.
        verify: compare data with checksums: those of TensorFlow, of `.bin` and of
            safetensors files written by `write_checkpoint`. `.npz` always does.
            Safetensors files of other writers have none, so that only their
            structure can be checked.

    Returns:
        A mapping from name to LazyArray; also a context manager.

    Raises:
        TypeError: `source` is neither a path nor a mapping.
        CheckpointError: nothing is there, or it is damaged, ambiguous or unknown.
    """
    if isinstance(source, Checkpoint):
        return source
    if isinstance(source, Mapping):
        return _from_mapping(source)
    if not isinstance(source, (str, os.PathLike)):
        raise TypeError(
            "expected a path or a mapping from name to array, "
            f"received {type(source).__name__}"
        )
    path = Path(source)
    if path.is_dir():
        path = file_in_folder(path)
    kind = sniff(path)
    if kind == "tf":
        return read_tf_bundle(path, verify)
    if kind == "npz":
        return read_npz(path)
    if kind == "sharded":
        of_torch = ".bin.index" in path.name
        return read_sharded(path, read_torch if of_torch else read_safetensors, verify)
    return (read_torch if kind == "bin" else read_safetensors)(path, verify)


def write_checkpoint(
    path: str | os.PathLike,
    arrays: Mapping,
    format: str = "safetensors",
    metadata: Mapping[str, str] | None = None,
    max_shard_size: int | str | None = None,
    overwrite: bool = False,
) -> list[Path]:
    """Write arrays so that files appear complete or not at all.

    Args:
        path: the file, or the prefix of a TensorFlow checkpoint.
        arrays: numpy arrays or LazyArrays by name.
        format: "safetensors", "tf" or "npz".
        metadata: text to store beside the arrays (safetensors only).
        max_shard_size: bytes, or text such as "2GB"; a larger safetensors checkpoint
            is written as `<stem>-00001-of-0000N.safetensors` and so on, with an index
            `<stem>.safetensors.index.json`.
        overwrite: replace what exists.

    Returns:
        The paths of the files.

    Raises:
        ValueError: an unknown format, or an option that the format lacks.
        CheckpointError: a file exists, or the format cannot hold a name or a type.
    """
    path = Path(path)
    if format not in FORMATS:
        raise ValueError(
            f"expected format to be one of {', '.join(FORMATS)}, received {format!r}"
        )
    if format != "safetensors" and (metadata or max_shard_size is not None):
        raise ValueError(
            "metadata and max_shard_size exist only for format='safetensors', "
            f"received format={format!r}"
        )
    checked_names(arrays)
    if format == "tf":
        return write_tf_bundle(path, arrays, overwrite)
    if path.suffix != f".{format}":
        raise ValueError(
            f"expected a path that ends in .{format}, received {os.fspath(path)!r}"
        )
    if format == "npz":
        refuse_existing([path], overwrite)
        with atomic_path(path) as temporary:
            write_npz(temporary, arrays)
        return [path]
    _check_safetensors(arrays, metadata)
    return _write_safetensors(path, arrays, metadata, max_shard_size, overwrite)


def _from_mapping(source: Mapping) -> Checkpoint:
    """Return arrays in memory as a checkpoint."""
    arrays = []
    for name in checked_names(source):
        value = source[name]
        if not isinstance(value, LazyArray):
            array = to_array(name, value).view()
            array.flags.writeable = False
            value = LazyArray(name, array.shape, array.dtype, partial(_same, array))
        arrays.append(value)
    return Checkpoint(None, "dict", arrays)


def _same(array: np.ndarray) -> np.ndarray:
    return array


def _check_safetensors(arrays: Mapping, metadata: Mapping | None) -> None:
    """Raise if a name or the metadata has no place in a safetensors file."""
    if "__metadata__" in arrays:
        raise CheckpointError(
            "'__metadata__' is reserved in safetensors files; rename that tensor"
        )
    for key, value in (metadata or {}).items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise TypeError(
                f"expected metadata from text to text, received {key!r}: {value!r}"
            )


def _write_safetensors(
    path: Path,
    arrays: Mapping,
    metadata: Mapping | None,
    max_shard_size: int | str | None,
    overwrite: bool,
) -> list[Path]:
    """Write one file, or several with an index, and remove what they replace."""
    index = path.with_name(path.name + ".index.json")
    pattern = re.compile(re.escape(path.stem) + r"-\d{5}-of-\d{5}\.safetensors")
    old = [path, index]
    if path.parent.is_dir():
        old += [file for file in path.parent.iterdir() if pattern.fullmatch(file.name)]
    refuse_existing(old, overwrite)
    sizes = {name: _nbytes(arrays[name]) for name in sorted(arrays)}
    total = sum(sizes.values())
    limit = max(total, 1) if max_shard_size is None else parse_size(max_shard_size)
    groups = split(sizes, limit) or [[]]
    if len(groups) == 1:
        targets, files = [path], {}
    else:
        names = [
            f"{path.stem}-{number:05d}-of-{len(groups):05d}.safetensors"
            for number in range(1, len(groups) + 1)
        ]
        files = {
            name: file
            for file, group in zip(names, groups, strict=True)
            for name in group
        }
        targets = [*(path.with_name(name) for name in names), index]
    with atomic_paths(targets) as temporary:
        for file, group in zip(temporary, groups, strict=False):
            write_safetensors(file, {name: arrays[name] for name in group}, metadata)
        if files:
            write_index(temporary[-1], files, total)
    # A reader prefers the single file, so a stale one would hide the new shards.
    for file in old:
        if file not in targets:
            file.unlink(missing_ok=True)
    return targets


def _nbytes(value) -> int:
    return value.nbytes if isinstance(value, LazyArray) else np.asarray(value).nbytes
