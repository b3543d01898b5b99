"""The files of a training that can be resumed: complete or absent, the newest kept."""

import json
import re
from pathlib import Path

import numpy as np

from bert4keras3.backend.sharding import by_first, from_all, process, together
from bert4keras3.checkpoints.atomic import atomic_path
from bert4keras3.checkpoints.errors import CheckpointError
from bert4keras3.checkpoints.safetensors_file import (
    read_safetensors,
    write_safetensors,
)

_KEY = "bert4keras3.training"
_OTHERS = "other processes"
_NAME = re.compile(r"step-\d{9}\.safetensors")


def newest_save(folder):
    """(what was noted, {name: array}) of the newest file of a folder, or (None, {}).

    Of several processes all call it, and each gets what was noted there.
    Raises CheckpointError if that file is damaged, ValueError if it is of another kind
    or number of processes, or if processes see different files.
    """
    noted, arrays = together(lambda: _read_newest(_files(folder)))
    steps = from_all(noted and noted[0]["trained"])
    if len(set(steps)) > 1:
        raise ValueError(
            f"The processes must share the folder of a Checkpoint. In {folder} their "
            f"newest saves are of the steps {steps} (None: there is no save)."
        )
    if noted is None:
        return None, {}
    number, count = process()
    if len(noted) != count:
        raise ValueError(
            f"{folder} is the checkpoint of a training of {len(noted)} processes. "
            f"Received a run of {count}: start as many, or give a new folder."
        )
    return noted[number], arrays


def _read_newest(files):
    """([what each process noted], {name: array}) of the last file, or (None, {})."""
    if not files:
        return None, {}
    try:
        opened = read_safetensors(files[-1])
    except CheckpointError as error:
        raise CheckpointError(
            f"The newest save of this training is damaged: {error} Remove {files[-1]} "
            f"to go on from the one before. There are: {[one.name for one in files]}"
        ) from error
    if _KEY not in opened.metadata:
        raise ValueError(
            f"{files[-1]} is no checkpoint of a training: give Checkpoint a folder of "
            "its own."
        )
    arrays = {name: np.array(opened[name].read()) for name in opened}
    noted = json.loads(opened.metadata[_KEY])
    return [noted, *noted.pop(_OTHERS, [])], arrays


def write_save(folder, step, noted, arrays, keep):
    """Write the file of a step, then remove all but the newest `keep`.

    noted: what JSON can hold; arrays: {name: array}. Of several processes all call it;
    the first one writes its arrays, and what each of them noted.
    """
    first, *others = from_all(noted)
    if others:
        first[_OTHERS] = others
    by_first(lambda: _write(Path(folder), step, first, arrays, keep))


def _write(folder, step, noted, arrays, keep):
    with atomic_path(folder / f"step-{step:09d}.safetensors") as path:
        write_safetensors(path, arrays, {_KEY: json.dumps(noted)})
    for old in _files(folder)[:-keep]:
        old.unlink()
    for torn in folder.glob(".step-*.safetensors.*.tmp"):  # of a process that died
        torn.unlink()


def _files(folder):
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))


def plain_attributes(thing):
    """{name: value} of the attributes that are numbers, text, or lists and dicts of
    them."""
    return {
        name: _plain(value)
        for name, value in vars(thing).items()
        if name != "params" and _is_plain(value)
    }


def _is_plain(value):
    if isinstance(value, dict):
        return all(isinstance(k, str) and _is_plain(v) for k, v in value.items())
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    return value is None or isinstance(
        value, (bool, int, float, str, np.number, np.bool_)
    )


def _plain(value):
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return value.item() if isinstance(value, np.generic) else value
