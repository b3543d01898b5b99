"""The process of a worker: it answers jobs from standard input, one JSON line each.

    python shuffle_process.py PASSES...

PASSES are the files of the jobs, each with a table {name: function} named PASSES. They
are loaded by path: the package would bring Keras with it. So this file imports nothing
of the package.
"""

import importlib.util
import json
import os
import queue
import sys
import threading
from pathlib import Path


def answer(passes, job):
    """Run one job {"do": name, ...}; returns {"result": ...} or {"error": ...}."""
    job = dict(job)
    try:
        return {"result": passes[job.pop("do")](**job)}
    except OSError as error:
        return {"error": str(error), "kind": "OSError"}
    except ValueError as error:
        return {"error": str(error), "kind": "ValueError"}


def main(paths):
    """Answer jobs until standard input ends."""
    jobs = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(jobs,), daemon=True).start()
    passes = {}
    for path in paths:
        passes |= _load(path).PASSES
    while True:
        sys.stdout.write(json.dumps(answer(passes, json.loads(jobs.get()))) + "\n")
        sys.stdout.flush()


def _load(path):
    found = importlib.util.spec_from_file_location(Path(path).stem, path)
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def _receive(jobs):
    for line in sys.stdin:
        jobs.put(line)
    # Nobody is left to ask or to answer, and another run may already go on.
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
