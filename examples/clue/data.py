"""Finding and reading CLUE's official files: errors name the file and the line."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from bert4keras3.extraction.jsonl import json_lines


def task_folder(data, names: Sequence[str]) -> Path:
    """The folder of a task: `data/NAME` or `data/NAME_public`, the first there is.

    Raises FileNotFoundError that tells which were looked for.
    """
    wanted = [Path(data) / (name + tail) for name in names for tail in ("", "_public")]
    for folder in wanted:
        if folder.is_dir():
            return folder
    raise FileNotFoundError(
        f"{data}: no folder of {names[0]}. Looked for "
        f"{', '.join(path.name for path in wanted)}; docs/clue.md tells the layout."
    )


def find(folder: Path, names: Iterable[str]) -> Path:
    """The first of these files that is in the folder; else FileNotFoundError."""
    names = list(names)
    for name in names:
        if (folder / name).is_file():
            return folder / name
    there = ", ".join(sorted(path.name for path in folder.iterdir())) or "nothing"
    raise FileNotFoundError(f"{folder}: no {' or '.join(names)}. There is: {there}")


def read_records(path, parse: Callable[[dict], object]) -> list:
    """[parse(record), ...] of a json-lines file, without those that are None.

    Raises ValueError, naming file and line, for text that is not UTF-8, lines that are
    no JSON objects, and what `parse` refuses by ValueError.
    """
    found = []
    for number, record in json_lines(path):
        try:
            found.append(parse(record))
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from None
    samples = [one for one in found if one is not None]
    if not samples:
        raise ValueError(f"{path}: no sample in this file")
    return samples


def field(record: dict, key: str, kind: type | tuple = str):
    """record[key]; raises ValueError if it is missing or of another type."""
    if not isinstance(record, dict) or key not in record:
        there = sorted(record) if isinstance(record, dict) else f"{record!r:.40}"
        raise ValueError(f"expected the key {key!r}. Found: {there}")
    value = record[key]
    if not isinstance(value, kind) or isinstance(value, bool):
        names = kind if isinstance(kind, tuple) else (kind,)
        wanted = " or ".join(one.__name__ for one in names)
        raise ValueError(f"{key!r} must be {wanted}. Found: {value!r:.60}")
    return value


def label_index(value, labels: Sequence[str]) -> int:
    """Number of a label; raises ValueError that shows those there are."""
    try:
        return labels.index(str(value))
    except ValueError:
        shown = ", ".join(labels[:20]) + (", ..." if len(labels) > 20 else "")
        raise ValueError(f"label {value!r} is none of {shown}") from None
