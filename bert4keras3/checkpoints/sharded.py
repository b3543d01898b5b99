"""Checkpoints in several files with a JSON index, as Hugging Face stores them."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from bert4keras3.checkpoints.errors import CheckpointError
from bert4keras3.checkpoints.lazy import Checkpoint, LazyArray
from bert4keras3.checkpoints.strict_json import parse_object

_UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20}
_UNITS |= {"GIB": 2**30}


def read_sharded(
    index: Path, read_file: Callable[[Path, bool], Checkpoint], verify: bool = True
) -> Checkpoint:
    """Open the files that an index such as `model.safetensors.index.json` lists.

    Args:
        index: the index file.
        read_file: opens one of the files.
        verify: passed to `read_file`.

    Raises:
        CheckpointError: a file is missing, or a file and the index disagree.
    """
    files = _files_by_tensor(index)
    arrays: list[LazyArray] = []
    parts: list[Checkpoint] = []
    metadata: dict[str, str] = {}
    for file in sorted(set(files.values())):
        path = index.parent / file
        if not path.is_file():
            raise CheckpointError(
                f"{index} lists {file}, which is missing from {index.parent}; "
                "copy or download it"
            )
        part = read_file(path, verify)
        parts.append(part)
        expected = {name for name, owner in files.items() if owner == file}
        if part.keys() != expected:
            odd = ", ".join(sorted(part.keys() ^ expected)[:5])
            raise CheckpointError(
                f"{index} and {file} disagree about tensors ({odd}); the files belong "
                "to different checkpoints or are damaged: download all of them again"
            )
        metadata |= part.metadata
        arrays.extend(part.values())

    def close() -> None:
        for part in parts:
            part.close()

    return Checkpoint(index, parts[0].format, arrays, metadata, close)


def write_index(path: Path, files: Mapping[str, str], total_size: int) -> None:
    """Write the index of a sharded checkpoint.

    Args:
        path: where to write.
        files: file name of each tensor.
        total_size: bytes of all tensors.
    """
    content = {"metadata": {"total_size": total_size}, "weight_map": dict(files)}
    text = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def split(sizes: Mapping[str, int], limit: int) -> list[list[str]]:
    """Return tensor names in groups of at most `limit` bytes, in the given order.

    A tensor larger than the limit gets a group of its own.
    """
    groups: list[list[str]] = []
    used = 0
    for name, size in sizes.items():
        if not groups or used + size > limit:
            groups.append([])
            used = 0
        groups[-1].append(name)
        used += size
    return groups


def parse_size(size: int | str) -> int:
    """Return a number of bytes from an int or from text such as "2GB".

    Raises:
        ValueError: anything else, or less than one byte.
    """
    if isinstance(size, str):
        match = re.fullmatch(r"(\d+)\s*([KMG]i?B)", size.strip(), re.IGNORECASE)
        if match:
            return int(match[1]) * _UNITS[match[2].upper()] or _bad_size(size)
    elif isinstance(size, int) and size > 0:
        return size
    return _bad_size(size)


def _bad_size(size) -> int:
    raise ValueError(
        f"expected max_shard_size as a positive number of bytes or text such as "
        f"'500MB' or '2GB', received {size!r}"
    )


def _files_by_tensor(index: Path) -> dict[str, str]:
    """Return the `weight_map` of an index; its files must lie beside the index."""
    try:
        content = parse_object(index.read_bytes(), "it")
    except OSError as error:
        raise CheckpointError(f"{index} cannot be read ({error.strerror})") from error
    except CheckpointError as error:
        raise CheckpointError(f"{index} is damaged: {error}") from error
    files = content.get("weight_map")
    if not isinstance(files, dict) or not files:
        raise CheckpointError(
            f"{index} has no 'weight_map' that names the file of each tensor; "
            "download it again"
        )
    for name, file in files.items():
        # A checkpoint from the internet must not point at other places of the disk.
        if not isinstance(file, str) or not re.fullmatch(r"[^/\\\0]*[^/\\\0.]", file):
            raise CheckpointError(
                f"{index} places tensor {name!r} in {file!r}, which is not the name "
                "of a file beside it"
            )
    return files
