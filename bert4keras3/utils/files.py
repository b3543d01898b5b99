"""Text files that can be indexed by line without being read into memory."""

import builtins
import json
from array import array
from collections.abc import Iterator
from pathlib import Path


class open:
    """Open a file by name, optionally with random access to its lines.

    indexable: False, True (line offsets are found by one scan), or a path to a JSON
        file that caches the offsets between runs.
    With indexable, `f[i]` is line i without its line end and `len(f)` their number.
    The file is a context manager and iterates over lines without line ends.
    """

    def __init__(self, name, mode="r", encoding=None, errors="strict", indexable=False):
        self.name = name
        self.encoding = encoding or "utf-8"
        self.errors = errors
        binary = "b" in mode
        if indexable and mode not in ("r", "rb"):
            raise ValueError(
                f"indexable files can only be read. Received mode={mode!r} for "
                f"{name}; use mode='r'."
            )
        self._decode = not binary
        options = {} if binary else {"encoding": self.encoding, "errors": errors}
        self.file = builtins.open(name, mode, **options)
        self._raw = builtins.open(name, "rb") if indexable else None
        self.offsets = self._line_offsets(indexable) if indexable else None

    def _line_offsets(self, cache) -> array:
        size = Path(self.name).stat().st_size
        cached = isinstance(cache, (str, Path)) and Path(cache).exists()
        if cached:
            offsets = array("q", json.loads(Path(cache).read_text()))
            if offsets and offsets[-1] == size:
                return offsets
        offsets = array("q", [0])
        for line in self._raw:
            offsets.append(offsets[-1] + len(line))
        if isinstance(cache, (str, Path)):
            Path(cache).write_text(json.dumps(offsets.tolist()))
        return offsets

    def __len__(self) -> int:
        self._need_index()
        return len(self.offsets) - 1

    def __getitem__(self, index: int):
        self._need_index()
        index = int(index)
        if index < 0:
            index += len(self)
        if not 0 <= index < len(self):
            raise IndexError(f"{self.name} has {len(self)} lines, none is {index}.")
        self._raw.seek(self.offsets[index])
        line = self._raw.read(self.offsets[index + 1] - self.offsets[index])
        line = line.rstrip(b"\r\n")
        return line.decode(self.encoding, self.errors) if self._decode else line

    def _need_index(self) -> None:
        if self.offsets is None:
            raise TypeError(
                f"{self.name} was opened without an index of its lines. Pass "
                "indexable=True to use f[i] and len(f)."
            )

    def __iter__(self) -> Iterator:
        if self.offsets is not None:  # the same lines as by index, also with lone "\r"
            yield from (self[i] for i in range(len(self)))
            return
        ends = "\r\n" if self._decode else b"\r\n"
        for line in self.file:
            yield line.rstrip(ends)

    def read(self, size: int = -1):
        """Read up to `size` characters (bytes in binary mode)."""
        return self.file.read(size)

    def readline(self):
        """Read one line, with its line end."""
        return self.file.readline()

    def readlines(self) -> list:
        """Read all lines, with their line ends."""
        return self.file.readlines()

    def write(self, text):
        """Write `text`; str in text mode, bytes in binary mode."""
        return self.file.write(text)

    def flush(self) -> None:
        """Flush the write buffer."""
        self.file.flush()

    def close(self) -> None:
        """Close the file."""
        self.file.close()
        if self._raw is not None:
            self._raw.close()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace) -> None:
        self.close()


def find_file(folder, part: str) -> Path:
    """Return the file in `folder` with `part` in its name, the first by name.

    Raises FileNotFoundError that tells what is there.
    """
    folder = Path(folder)
    files = sorted(path for path in folder.glob("*") if path.is_file())
    for path in files:
        if part in path.name:
            return path
    there = ", ".join(path.name for path in files) or "no file"
    raise FileNotFoundError(f"{folder}: no file with {part!r} in its name ({there})")
