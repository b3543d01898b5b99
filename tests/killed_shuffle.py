"""Shuffle, and kill this process before the N-th of some file operations.

    killed_shuffle.py EVENT ENDING N PART SOURCE TARGET [WORKERS]

EVENT is Python's name of the operation (audit events), ENDING that of its path; with
N = 0 nothing is killed. Tells how many steps were reused.
"""

import os
import signal
import sys

event, ending, number, part, source, target, *workers = sys.argv[1:]
left = int(number)


def watch(name, arguments):
    global left
    if name != event or not any(str(one).endswith(ending) for one in arguments):
        return
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    sys.argv[:] = ["bert4keras3", "shuffle"]  # without Keras, as the command
    from bert4keras3.pretraining import shuffle

    shuffle.PART = int(part)
    sys.addaudithook(watch)
    count = int(workers[0]) if workers else 0
    report = shuffle.shuffle_corpus(source, target, workers=count)
    print(report.reused)
