"""Files that appear complete or not at all."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary path that replaces `path` if the block ends without error.

    The temporary file lies in the same folder, since a rename is atomic only within
    one file system. After an error it is removed and `path` is left as it was.
    """
    with atomic_paths([path]) as temporary:
        yield temporary[0]


@contextmanager
def atomic_paths(paths: list) -> Iterator[list[Path]]:
    """Yield a temporary path for each of `paths`; replace them in order at the end.

    No target is touched before all files are complete and on disk. The last path
    should be the file that makes the others visible, such as an index.
    """
    targets = [Path(path) for path in paths]
    temporary = [_reserve(target) for target in targets]
    try:
        yield temporary
        for file in temporary:
            _flush(file)
        for file, target in zip(temporary, targets, strict=True):
            os.replace(file, target)
        for folder in {target.parent for target in targets}:
            _flush(folder)
    finally:
        for file in temporary:
            with suppress(FileNotFoundError):
                file.unlink()


def atomic_write_bytes(path: str | os.PathLike, data: bytes) -> None:
    """Write `data` to `path`, or leave `path` untouched if that fails."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def _reserve(target: Path) -> Path:
    """Return an unused hidden path beside `target`; its folder is created."""
    target.parent.mkdir(parents=True, exist_ok=True)
    return target.with_name(f".{target.name}.{secrets.token_hex(6)}.tmp")


def _flush(path: Path) -> None:
    """Ask the system to bring a file or a folder to disk."""
    if path.is_dir() and os.name == "nt":
        return  # Windows cannot open folders.
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
