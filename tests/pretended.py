"""Several processes, pretended by threads: fast, and for every backend."""

import threading

from bert4keras3.backend import runtime, sharding


def in_processes(monkeypatch, count, function):
    """What `function(number)` returns, or raises, in each of `count` processes."""
    here, meeting = threading.local(), threading.Barrier(count)
    given, found = [None] * count, [None] * count

    def exchanged(data):
        given[here.number] = data
        meeting.wait(60)
        everything = list(given)
        meeting.wait(60)
        return everything

    def run(number):
        here.number = number
        try:
            found[number] = function(number)
        except (ArithmeticError, OSError, RuntimeError, ValueError) as error:
            found[number] = error

    with monkeypatch.context() as patch:
        patch.setattr(sharding, "_process", lambda: (here.number, count))
        patch.setattr(runtime, "exchanged", exchanged)
        threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
    return found
