"""Import the scripts of examples/pretraining, which import each other by bare name."""

import contextlib
import importlib
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "examples" / "pretraining"


@contextlib.contextmanager
def imported(names, monkeypatch):
    """{name: module}, forgotten again afterwards."""
    monkeypatch.syspath_prepend(str(FOLDER))
    yield {name: importlib.import_module(name) for name in names}
    for name in names:
        sys.modules.pop(name)
