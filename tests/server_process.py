"""A server in a process of its own, as a user starts it."""

import contextlib
import os
import re
import subprocess
import sys
from pathlib import Path

import keras

ROOT = Path(__file__).resolve().parents[1]


@contextlib.contextmanager
def running(*arguments):
    """Start python with the arguments: (process, the address it tells).

    What it writes until the end is in `process.log`, complete after `ended`.
    """
    process = subprocess.Popen(
        [sys.executable, *arguments],
        env={
            **os.environ,
            "KERAS_BACKEND": keras.config.backend(),
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")]),
        },
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    process.log = ""
    try:
        while not (found := re.search(r"running on (http://\S+)", process.log)):
            line = process.stderr.readline()
            if not line:
                raise RuntimeError(f"the server did not start:\n{process.log}")
            process.log += line
        yield process, found.group(1)
    finally:
        if process.poll() is None:
            process.kill()
        process.stderr.close()
        process.wait()


def ended(process, timeout=60):
    """The exit status of a process that was told to end."""
    process.log += process.communicate(timeout=timeout)[1]
    return process.returncode
