"""The command `bert4keras3` and `python -m bert4keras3`."""

import sys


def main():
    """Run the command line of this process; returns the exit status.

    `shuffle` shall fit into the memory it is given: it runs without `bert4keras3.cli`,
    which imports Keras and a backend.
    """
    if sys.argv[1:2] == ["shuffle"]:
        from bert4keras3.pretraining.shuffle_command import main as run
    else:
        from bert4keras3.cli import main as run
    return run()


if __name__ == "__main__":
    sys.exit(main())
