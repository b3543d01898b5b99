"""Worker processes of the shuffle, which start without Keras."""

import json
import queue
import subprocess
import sys
from concurrent import futures
from contextlib import suppress
from pathlib import Path

# By path: `import bert4keras3...` would load Keras in every worker. Not as a plain
# script: its folder would come first on sys.path, before the standard library.
# One thread of linear algebra, which is not used, instead of one a core.
_START = (
    "import os, runpy, sys; os.environ['OPENBLAS_NUM_THREADS'] = '1'; "
    "runpy.run_path(sys.argv[1], run_name='__main__')"
)
_PASSES = Path(__file__).with_name("shuffle_passes.py")
_KINDS = {"ValueError": ValueError, "OSError": OSError}


class Workers:
    """`count` processes that run the jobs of shuffle_passes.py; with 0 this one does.

    A context manager: at its end, by an error or not, no process is left.
    """

    def __init__(self, count: int):
        self._processes = [_start() for _ in range(count)]
        self._idle = queue.SimpleQueue()
        for process in self._processes:
            self._idle.put(process)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.wait()
            with suppress(BrokenPipeError):  # of a job it did not live to read
                process.stdin.close()
            process.stdout.close()

    def run(self, jobs: list):
        """Yield (job, its result) as jobs end, in any order.

        Raises ValueError or OSError as the job did, and ChildProcessError (an OSError)
        if a worker died.
        """
        if not self._processes:
            from bert4keras3.pretraining import shuffle_passes

            for job in jobs:
                yield job, _result(shuffle_passes.answer(job))
            return
        threads = futures.ThreadPoolExecutor(len(self._processes))
        try:
            asked = {threads.submit(self._ask, job): job for job in jobs}
            for done in futures.as_completed(asked):
                yield asked[done], _result(done.result())
        finally:
            threads.shutdown(wait=False, cancel_futures=True)

    def _ask(self, job):
        """Give `job` to an idle worker and wait for its answer."""
        process = self._idle.get()
        try:
            with suppress(BrokenPipeError):  # it is dead, which reading tells too
                process.stdin.write(json.dumps(job) + "\n")
                process.stdin.flush()
            line = process.stdout.readline()
        finally:
            self._idle.put(process)  # a dead one too: nobody waits for ever
        if not line:
            raise ChildProcessError(
                f"a worker process ended early with status {process.wait()}; a "
                "negative one is a signal, -9 often a lack of memory"
            )
        return json.loads(line)


def _start():
    return subprocess.Popen(
        [sys.executable, "-c", _START, str(_PASSES)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _result(answer):
    if "error" in answer:
        raise _KINDS[answer["kind"]](answer["error"])
    return answer["result"]
