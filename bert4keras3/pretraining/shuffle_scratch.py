"""The scratch folder of a shuffle: what is done, for which settings."""

import json
import os
import shutil
from pathlib import Path


def folder_of(target: Path) -> Path:
    """Where a shuffle to `target` keeps what is done."""
    return target.with_name(f".{target.name}.shuffle")


class Scratch:
    """The folder .NAME.shuffle beside the target NAME.

    It exists with a whole manifest, or not at all; what a process had half done when it
    was killed has a name of its own (.tmp) and is done again.
    """

    def __init__(self, target: Path, settings: dict):
        self.target = target
        self.folder = folder_of(target)
        self._manifest = {"settings": settings, "buckets": 0, "finished": None}

    @property
    def buckets(self) -> int:
        """The number of buckets that parts are dealt into; 0 before it is known."""
        return self._manifest["buckets"]

    def open(self, force: bool, needed: int) -> dict | None:
        """Make the folder or take up an earlier one of the same settings.

        needed: bytes of disk that a new shuffle takes.
        Returns the report of a run that was killed when all but the cleaning up was
        done, else None.
        Raises FileExistsError for an existing target without `force`, ValueError for
        a folder of other settings, OSError if the disk is too small.
        """
        if (self.folder / "manifest.json").exists():
            report = self._resume()
            if report is not None:
                return report
        elif self.folder.is_dir():
            self.folder.rmdir()  # the last step of clean was missing
        self.refuse(force)
        if not self.folder.is_dir():
            self._make(needed)
        for path in self.folder.glob("*.tmp"):
            # A worker of a run that was just killed may live on for a moment.
            path.unlink(missing_ok=True)
        return None

    def refuse(self, force: bool) -> None:
        """Raise FileExistsError if the target exists and may not be replaced."""
        if self.target.exists() and not force:
            raise FileExistsError(
                f"{self.target} exists. Choose another target, or replace it with "
                "force=True (--force)"
            )

    def _resume(self):
        found = json.loads((self.folder / "manifest.json").read_text("utf-8"))
        different = list(_differences(found["settings"], self._manifest["settings"]))
        if different:
            raise ValueError(
                f"{self.folder} holds an unfinished shuffle with other settings: "
                f"{'; '.join(different)}. Give the same ones to go on with it, or "
                "delete that folder to begin again"
            )
        if found["finished"] is None or (self.folder / "output").exists():
            self._manifest = found
            return None
        self.clean()
        # The target may have been taken away since: then all is to be done anew.
        return found["finished"] if self.target.exists() else None

    def _make(self, needed):
        self.target.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.target.parent).free
        if free < needed:
            raise OSError(
                f"the shuffle needs {needed:,} bytes of disk in {self.target.parent}, "
                f"where {free:,} are free"
            )
        new = self.folder.with_name(self.folder.name + ".tmp")
        new.mkdir(exist_ok=True)
        self._write(new)
        os.rename(new, self.folder)

    def _write(self, folder):
        temporary = folder / "manifest.tmp"
        temporary.write_text(json.dumps(self._manifest), "utf-8")
        os.replace(temporary, folder / "manifest.json")

    def begin(self, buckets: int) -> None:
        """Note the number of buckets; what was done for another number is deleted."""
        self._manifest["buckets"] = buckets
        self._write(self.folder)
        for path in self.folder.glob("*-*.*"):
            if not path.name.startswith(f"{buckets}-"):
                path.unlink()

    def has_part(self, part: int) -> bool:
        """Whether a part is dealt."""
        return (self.folder / f"{self.buckets}-{part}.cuts").exists()

    def has_bucket(self, bucket: int) -> bool:
        """Whether a bucket is in the output."""
        return (self.folder / f"{self.buckets}-{bucket}.done").exists()

    def size_output(self, size: int) -> None:
        """Make the output file of `size` bytes, or leave it as it is."""
        with open(self.folder / "output", "ab") as file:
            file.truncate(size)

    def finish(self, report: dict, force: bool) -> None:
        """Let the output become the target and remove the folder."""
        output = self.folder / "output"
        self.refuse(force)
        self._manifest["finished"] = report
        self._write(self.folder)
        os.replace(output, self.target)
        self.clean()

    def clean(self) -> None:
        """Remove the folder, the manifest last."""
        last = self.folder / "manifest.json"
        for path in self.folder.iterdir():
            if path != last:
                path.unlink()
        last.unlink(missing_ok=True)
        self.folder.rmdir()


def _differences(old, new):
    """What differs between two settings, in words."""
    for name in ("version", "seed", "unit", "part"):
        if old[name] != new[name]:
            yield f"{name} was {old[name]!r}, now {new[name]!r}"
    before, now = ([path for path, *_ in one["sources"]] for one in (old, new))
    if before != now:
        yield f"sources were {', '.join(before)}, now {', '.join(now)}"
        return
    for (path, *stat), (_, *current) in zip(
        old["sources"], new["sources"], strict=True
    ):
        if stat != current:
            yield f"source {path} has changed (size or modification time)"
