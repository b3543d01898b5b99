"""Batcher: requests of many threads become batches in the one thread of the model."""

import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from bert4keras3.serving.limits import Refusal, busy

DONE = object()  # what a stream emits behind its last piece


@dataclass(eq=False)
class Job:
    """Items of one request, which go into one batch with those of the same key.

    future: gets the list of results, or the error.
    """

    task: Any
    items: list
    settings: Any
    future: Future = field(default_factory=Future)
    arrived: float = field(default_factory=time.monotonic)

    @property
    def key(self):
        """Jobs of equal keys run together."""
        return self.task.name, self.settings


class Stream:
    """One answer that is made piece by piece.

    emit: called in the model's thread with every piece, then with DONE or an
    exception; it must neither block nor raise.
    """

    def __init__(self, task, item, settings, emit):
        self.task, self.item, self.settings, self.emit = task, item, settings, emit
        self.pieces, self.cancelled = None, False

    def advance(self):
        """Make one more piece; returns whether there may be another."""
        if self.pieces is None:
            sample = prepared(self.task, self.item, self.settings)
            self.pieces = self.task.stream(sample, self.settings)
        piece = next(self.pieces, DONE)
        self.emit(piece)
        return piece is not DONE


class Batcher:
    """Gathers the items of concurrent requests and runs them in ONE thread.

    max_batch: items at which a batch is full; max_wait: seconds that the first item of
    a batch waits for others; max_queue: items that may wait; max_streams: streams at
    a time; observe: called as observe(task name, items, seconds) after each batch.

    A task has `name`, `prepare(item, settings)`, which raises ValueError for an item
    it cannot take, `results(samples, settings)`, one for each, and, if it can,
    `stream(sample, settings)`. All are called in the thread of the batcher, and so is
    everything that touches the model. Batches and the steps of streams take turns.
    """

    def __init__(
        self,
        max_batch=32,
        max_wait=0.005,
        max_queue=1024,
        max_streams=16,
        observe=lambda name, items, seconds: None,
    ):
        if max_batch < 1 or max_wait < 0:
            raise ValueError(
                "max_batch must be 1 or more, and max_wait 0 or more seconds. "
                f"Received: max_batch={max_batch}, max_wait={max_wait}"
            )
        self.max_batch, self.max_wait = max_batch, max_wait
        self.max_queue, self.max_streams = max_queue, max_streams
        self.observe = observe
        self.jobs, self.running, self.streams = [], [], []
        self.deadline = None  # set by stop: when what is left is refused
        self.changed = threading.Condition()
        self.thread = threading.Thread(target=self._work, name="model", daemon=True)
        self.thread.start()

    @property
    def waiting(self):
        """Number of items in the queue."""
        return sum(len(job.items) for job in list(self.jobs))

    def submit(self, task, items, settings=()):
        """Queue the items of a request: a Future of the list of their results.

        settings: hashable; requests of one task and equal settings share a batch.
        Raises Refusal (503) when the queue is full or the server stops.
        """
        job = Job(task, list(items), settings)
        with self.changed:
            self._check_open()
            if self.jobs and self.waiting + len(job.items) > self.max_queue:
                raise busy("queue_full", "Too many requests wait: try again.")
            self.jobs.append(job)
            self.changed.notify()
        return job.future

    def stream(self, task, item, settings, emit):
        """Begin a Stream of one item; raises Refusal (503) as `submit` does.

        Set its `cancelled` to end it early.
        """
        one = Stream(task, item, settings, emit)
        with self.changed:
            self._check_open()
            if len(self.streams) >= self.max_streams:
                raise busy("too_many_streams", "Too many streams run: try again.")
            self.streams.append(one)
            self.changed.notify()
        return one

    def stop(self, grace=0.0):
        """Take no more requests; those not served `grace` seconds later are refused."""
        with self.changed:
            self.deadline = time.monotonic() + grace
            self.changed.notify()
        # Of its own, for the thread of the model may be in a long call.
        timer = threading.Timer(grace, self._refuse_all)
        timer.daemon = True
        timer.start()

    def close(self, grace=0.0):
        """`stop`, and wait until the thread has ended.

        A call of the model cannot be interrupted, and a process that ends in the
        middle of one may crash: it is given a minute.
        """
        self.stop(grace)
        self.thread.join(grace + 60)

    def _check_open(self):
        if self.deadline is not None:
            raise busy("stopping", "The server is stopping.")

    def _work(self):
        while self._wait():
            self._run(self._taken())
            for one in list(self.streams):
                if one.cancelled or not self._advance(one):
                    with self.changed:
                        self.streams = [x for x in self.streams if x is not one]

    def _wait(self):
        """Sleep until there is work; False when there never will be any more."""
        with self.changed:
            while not self.streams:
                left = self._until_ripe()
                if left is not None and left <= 0:
                    break
                if left is None and self.deadline is not None:
                    return False
                self.changed.wait(left)
            return True

    def _until_ripe(self):
        """Seconds until the oldest job's batch is to run; None without a job."""
        if not self.jobs:
            return None
        first = self.jobs[0]
        same = sum(len(job.items) for job in self.jobs if job.key == first.key)
        if same >= self.max_batch or self.deadline is not None:
            return 0
        return first.arrived + self.max_wait - time.monotonic()

    def _taken(self):
        """The jobs of the next batch: the oldest one, and those that go with it."""
        with self.changed:
            left = self._until_ripe()
            if left is None or left > 0:
                return []
            chosen, size = [], 0
            for job in self.jobs:
                fits = not chosen or size + len(job.items) <= self.max_batch
                if job.key == self.jobs[0].key and fits:
                    chosen.append(job)
                    size += len(job.items)
            self.jobs = [job for job in self.jobs if job not in chosen]
            self.running = [
                job for job in chosen if job.future.set_running_or_notify_cancel()
            ]
            return self.running

    def _run(self, jobs):
        """Prepare, run and answer the jobs of one batch."""
        ready, samples = [], []
        for job in jobs:
            try:
                own = [prepared(job.task, one, job.settings) for one in job.items]
            except BaseException as error:  # the request's own, not its neighbours'
                self._settle(job, error)
            else:
                ready.append((job, len(own)))
                samples += own
        if not ready:
            return
        task, settings = ready[0][0].task, ready[0][0].settings
        start = time.perf_counter()
        try:
            results = task.results(samples, settings)
        except BaseException as error:
            for job, _ in ready:
                self._settle(job, error)
            return
        self.observe(task.name, len(samples), time.perf_counter() - start)
        for job, count in ready:
            self._settle(job, results[:count])
            results = results[count:]

    def _settle(self, job, outcome):
        """Answer a job, unless it was refused meanwhile."""
        with self.changed:
            if job.future.done():
                return
            if isinstance(outcome, BaseException):
                job.future.set_exception(outcome)
            else:
                job.future.set_result(outcome)

    def _advance(self, stream):
        try:
            return stream.advance()
        except BaseException as error:
            stream.emit(error)
            return False

    def _refuse_all(self):
        """Refuse whatever is not answered, be it in the model's hands or not."""
        with self.changed:
            waiting, streams, running = self.jobs, self.streams, self.running
            self.jobs, self.streams = [], []
            self.changed.notify()
        late = busy("stopping", "The server stopped before this request was served.")
        for job in waiting:
            job.future.set_running_or_notify_cancel()
        for job in [*waiting, *running]:
            self._settle(job, late)
        for one in streams:
            one.cancelled = True
            one.emit(late)


def prepared(task, item, settings):
    """`task.prepare` of an item; its ValueError is a Refusal (422)."""
    try:
        return task.prepare(item, settings)
    except (ValueError, KeyError) as error:
        # A KeyError shows its message in quotes.
        told = error.args[0] if isinstance(error, KeyError) else error
        raise Refusal(422, "unfit_text", str(told)) from error
