"""Worker processes of the shuffle, which start without Keras."""

import json
import queue
import subprocess
import sys
from collections.abc import Iterable
from concurrent import futures
from contextlib import suppress
from itertools import islice
from pathlib import Path

# By path: `import bert4keras3...` would load Keras in every worker. Not as a plain
# script: its folder would come first on sys.path, before the standard library. Nor may
# the folder one works in, which Python puts there for -c as "".
# Ctrl-C would reach all processes of a terminal's session: it is the calling one that
# ends the workers. On Windows, which has no sessions, the signal is ignored.
# One thread of linear algebra, which is not used, instead of one a core.
_START = (
    "import sys; del sys.argv[0]; sys.path[:] = filter(None, sys.path); "
    "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); "
    "import os, runpy; os.environ['OPENBLAS_NUM_THREADS'] = '1'; "
    "runpy.run_path(sys.argv[0], run_name='__main__')"
)
_PASSES = ("shuffle_passes.py", "shuffle_tally.py")
_KINDS = {"ValueError": ValueError, "OSError": OSError}


class Workers:
    """`count` processes that run the jobs of _PASSES; with 0 this process does.

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

    def run(self, jobs: Iterable):
        """Yield (job, its result) as jobs end, in any order.

        `jobs` are taken as they are needed: those of a large corpus are many.
        Raises ValueError or OSError as the job did, and ChildProcessError (an OSError)
        if a worker died.
        """
        if not self._processes:
            yield from _run_here(jobs)
            return
        jobs, count = iter(jobs), len(self._processes)
        threads = futures.ThreadPoolExecutor(count)
        try:
            asked = {}
            while True:
                # One more for each worker, which begins it while an answer is read.
                for job in islice(jobs, 2 * count - len(asked)):
                    asked[threads.submit(self._ask, job)] = job
                if not asked:
                    return
                done, _ = futures.wait(asked, return_when=futures.FIRST_COMPLETED)
                for one in done:
                    yield asked.pop(one), _result(one.result())
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
    folder = Path(__file__).parent
    files = [folder / name for name in ("shuffle_process.py", *_PASSES)]
    return subprocess.Popen(
        [sys.executable, "-c", _START, *map(str, files)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _run_here(jobs):
    # Here and not above: the calling command is to do without numpy.
    from bert4keras3.pretraining import shuffle_passes, shuffle_process, shuffle_tally

    passes = shuffle_passes.PASSES | shuffle_tally.PASSES
    for job in jobs:
        yield job, _result(shuffle_process.answer(passes, job))


def _result(answer):
    if "error" in answer:
        raise _KINDS[answer["kind"]](answer["error"])
    return answer["result"]
