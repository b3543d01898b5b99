"""The folder of a run: its settings stay the same, and one process works in it."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

from bert4keras3.checkpoints.atomic import atomic_path
from bert4keras3.extraction.jsonl import read_json


def write_json(path, content) -> None:
    """Write a JSON file, whole or not at all."""
    with atomic_path(path) as temporary:
        text = json.dumps(content, ensure_ascii=False, indent=1)
        temporary.write_text(text + "\n", "utf-8")


def compare(folder, settings: dict) -> None:
    """Raise ValueError if the folder holds a run with other settings, naming them."""
    path = Path(folder) / "run.json"
    if not path.is_file():
        return
    saved = read_json(path)
    changed = [
        f"{name} was {saved.get(name)!r} and is now {settings.get(name)!r}"
        for name in {**saved, **settings}
        if saved.get(name) != settings.get(name)
    ]
    if changed:
        raise ValueError(
            f"{path} is of a run with other settings: {'; '.join(changed)}. Give "
            "another --output, or the same settings."
        )


@contextlib.contextmanager
def opened(folder, settings: dict) -> Iterator[Path]:
    """Make the folder if need be, note the settings, keep other processes out.

    Raises ValueError as `compare` does, RuntimeError if another process is at work.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        compare(folder, settings)
        if not (folder / "run.json").is_file():
            write_json(folder / "run.json", settings)
        yield folder


@contextlib.contextmanager
def _locked(folder):
    """The system lets go of the lock when the process ends, however it ends."""
    try:
        import fcntl
    except ImportError:  # Windows: without a lock
        yield
        return
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RuntimeError(
                f"{folder}: another run is at work in this folder. Wait for its end, "
                "or give another --output."
            ) from None
        yield
