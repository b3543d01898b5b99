"""Shuffle, and kill this process before the N-th of some file operations.

    killed_shuffle.py EVENT ENDING N PART SOURCE TARGET

EVENT is Python's name of the operation (audit events), ENDING that of its path.
"""

import os
import signal
import sys

event, ending, number, part, source, target = sys.argv[1:]
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
    shuffle.shuffle_corpus(source, target, workers=0)
