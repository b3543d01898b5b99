"""Parallel map over processes or threads, and a background prefetch thread."""

import itertools
import multiprocessing
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent import futures

import numpy as np

_task = None  # the function of this worker process, set by _install


def _install(func, seeds) -> None:
    """Make `func` the task of this process and seed numpy's generator."""
    global _task
    _task = func
    if seeds is not None:
        np.random.seed(seeds.get())


def _run(item):
    return _task(item)


def _pool(func, workers: int, dummy: bool, random_seeds):
    """Return an executor and the callable to submit to it."""
    if dummy:
        return futures.ThreadPoolExecutor(workers), func
    # Forked workers inherit `func`, so lambdas and closures need no pickling.
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("fork" if "fork" in methods else None)
    seeds = None
    if random_seeds is True:
        random_seeds = [None] * workers
    if random_seeds:
        if len(random_seeds) < workers:
            raise ValueError(
                f"random_seeds needs a seed for each of the {workers} workers. "
                f"Received {len(random_seeds)}."
            )
        seeds = context.SimpleQueue()
        for seed in random_seeds:
            seeds.put(seed)
    executor = futures.ProcessPoolExecutor(workers, context, _install, (func, seeds))
    return executor, _run


def parallel_apply_generator(
    func: Callable,
    iterable: Iterable,
    workers: int,
    max_queue_size: int,
    dummy: bool = False,
    random_seeds=True,
    ordered: bool = False,
) -> Iterator[tuple]:
    """Yield (index, func(item)) as results arrive, in no fixed order.

    workers: number of processes, or threads with dummy=True.
    max_queue_size: items in work at once, so endless iterables are fine.
    random_seeds: True = fresh numpy seeds, a list = one a process, False = none.
    ordered: in the order of the iterable; results that wait for an earlier one count
    as in work.
    Raises what `func` raises, and BrokenProcessPool if a worker dies.
    """
    if workers < 1 or max_queue_size < 1:
        raise ValueError(
            "workers and max_queue_size must be at least 1. Received "
            f"workers={workers}, max_queue_size={max_queue_size}."
        )
    executor, run = _pool(func, workers, dummy, random_seeds)
    tasks, running = enumerate(iterable), {}
    try:
        while True:
            free = max_queue_size - len(running)
            for index, item in itertools.islice(tasks, free):
                running[executor.submit(run, item)] = index
            if not running:
                return
            if ordered:
                done = [next(iter(running))]  # the oldest: dicts keep the order
            else:
                done, _ = futures.wait(running, return_when=futures.FIRST_COMPLETED)
            for future in done:
                yield running.pop(future), future.result()
    finally:
        executor.shutdown(wait=False, cancel_futures=True)


def parallel_apply(
    func: Callable,
    iterable: Iterable,
    workers: int,
    max_queue_size: int,
    callback: Callable | None = None,
    dummy: bool = False,
    random_seeds=True,
    unordered: bool = True,
) -> list | None:
    """Apply `func` to every item in parallel.

    Returns the list of results, or None when `callback` consumes them one by one.
    unordered=False keeps the order of `iterable`; the other arguments are those of
    `parallel_apply_generator`.
    """
    results = parallel_apply_generator(
        func, iterable, workers, max_queue_size, dummy, random_seeds, not unordered
    )
    values = (value for _, value in results)
    if callback is None:
        return list(values)
    for value in values:
        callback(value)
    return None


def prefetch(iterable: Iterable, size: int) -> Iterator:
    """Run `iterable` in a background thread, at most `size` items ahead.

    An exception of the iterable is raised in the consumer at its place. The thread
    ends when the iterable ends or this generator is closed or garbage collected.
    """
    if size < 1:
        raise ValueError(f"prefetch needs a size of at least 1. Received {size}.")
    return _consume(iterable, queue.Queue(size), threading.Event())


def _consume(iterable, items: queue.Queue, stop: threading.Event) -> Iterator:
    thread = threading.Thread(
        target=_produce, args=(iterable, items, stop), daemon=True, name="prefetch"
    )
    thread.start()
    try:
        while True:
            item, error, ended = items.get()
            if error is not None:
                raise error
            if ended:
                return
            yield item
    finally:
        stop.set()


def _produce(iterable, items: queue.Queue, stop: threading.Event) -> None:
    """Put (item, error, ended) triples into `items` until the end or `stop`."""
    ending = (None, None, True)
    try:
        for item in iterable:
            if not _put(items, (item, None, False), stop):
                return
    except BaseException as error:  # handed over, not swallowed: raised by prefetch
        ending = (None, error, False)
    _put(items, ending, stop)


def _put(items: queue.Queue, triple: tuple, stop: threading.Event) -> bool:
    """Wait for a free place; False if nobody will take the item any more."""
    while not stop.is_set():
        try:
            items.put(triple, timeout=0.1)
            return True
        except queue.Full:
            continue
    return False
