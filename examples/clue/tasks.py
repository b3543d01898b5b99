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


def find_task(name: str) -> type:
    """The class of a task; ValueError with all names if there is none."""
    if name not in NAMES:
        raise ValueError(f"There is no task {name!r}. Tasks: {', '.join(NAMES)}")
    return getattr(importlib.import_module(f"examples.clue.{name}"), NAMES[name])
