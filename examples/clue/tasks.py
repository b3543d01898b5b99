"""The tasks by name; a file of this folder holds each."""

import importlib

NAMES = {
    "afqmc": "AFQMC",
    "tnews": "TNEWS",
    "iflytek": "IFLYTEK",
    "cmnli": "CMNLI",
    "ocnli": "OCNLI",
    "csl": "CSL",
    "wsc": "WSC",
    "cluener": "CLUENER",
    "cmrc2018": "CMRC2018",
    "c3": "C3",
    "chid": "ChID",
}


def find_task(name: str | type) -> type:
    """The class of a task, or the class itself; ValueError if there is none."""
    if isinstance(name, type):
        return name
    if name not in NAMES:
        raise ValueError(f"There is no task {name!r}. Tasks: {', '.join(NAMES)}")
    return getattr(importlib.import_module(f"examples.clue.{name}"), NAMES[name])
