"""JSON files and text files, line by line; errors name the line."""

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path


def lines_of(path: str | os.PathLike) -> Iterator[tuple[int, str]]:
    """Yield (number from 1 on, line) of a UTF-8 file; only "\\n" ends a line.

    Raises ValueError, naming file and line, for text that is not UTF-8.
    """
    for number, line in enumerate(Path(path).read_bytes().split(b"\n"), 1):
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{path}, line {number}: not UTF-8 ({error.reason} at byte "
                f"{error.start}); convert the file, for example from GB18030"
            ) from None
        yield number, text.rstrip("\r")


def json_lines(path: str | os.PathLike) -> Iterator[tuple[int, dict]]:
    """Yield (number from 1 on, object) of a json-lines file, blank lines left out.

    Raises ValueError, naming file and line, for anything that is no JSON object.
    """
    for number, line in lines_of(path):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except json.JSONDecodeError as error:
            raise _no_json(path, number, error) from None
        if not isinstance(value, dict):
            raise ValueError(
                f"{path}, line {number}: expected a JSON object, found {line[:40]!r}"
            )
        yield number, value


def read_json(path: str | os.PathLike):
    """Return the content of a JSON file in UTF-8.

    Raises ValueError, naming file and line, for another encoding or no JSON.
    """
    raw = Path(path).read_bytes()
    try:
        return json.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{path}, line {line}: not UTF-8 ({error.reason} at byte {error.start}); "
            "convert the file, for example from GB18030"
        ) from None
    except json.JSONDecodeError as error:
        raise _no_json(path, error.lineno, error) from None


def _no_json(path, line: int, error: json.JSONDecodeError) -> ValueError:
    reason = error.msg.removesuffix(" at")
    return ValueError(f"{path}, line {line}: no JSON ({reason}, column {error.colno})")


def write_lines(path, lines: Iterable[dict]) -> None:
    """Write one JSON object a line."""
    dumped = [json.dumps(line, ensure_ascii=False) + "\n" for line in lines]
    Path(path).write_text("".join(dumped), encoding="utf-8", newline="\n")


def not_empty(path, texts: list) -> list:
    """Return the texts; raises ValueError if there are none."""
    if not texts:
        raise ValueError(f"{path}: no text in this file")
    return texts
