"""The command `bert4keras3 shuffle`, which starts without Keras."""

import argparse
import sys
from pathlib import Path

from bert4keras3.pretraining.shuffle import shuffle_corpus
from bert4keras3.pretraining.shuffle_scratch import folder_of

_HINT = "to go on, give the same command again"
# Of the target, of another run, of the sources: the same command would meet them again.
_LASTING = (FileExistsError, BlockingIOError, FileNotFoundError)


def add_command(commands) -> None:
    """Add `shuffle` to the subparsers of `bert4keras3`."""
    command = commands.add_parser(
        "shuffle", help="put the lines of a corpus larger than memory in random order"
    )
    command.add_argument("sources", nargs="+", metavar="SRC", help="text files")
    command.add_argument("target", metavar="DST", help="file to write")
    command.add_argument("--seed", type=int, default=0, help="default 0")
    command.add_argument(
        "--memory",
        default="256MB",
        help="of all processes, default 256MB; the disk takes twice the corpus",
    )
    command.add_argument(
        "--workers", type=int, help="processes, default one a core that memory allows"
    )
    command.add_argument(
        "--unit",
        choices=["line", "document"],
        default="line",
        help="what is moved as one; documents are parted by blank lines",
    )
    command.add_argument("--force", action="store_true", help="replace the target")
    command.set_defaults(run=run)


def main(arguments=None) -> int:
    """Run `bert4keras3 shuffle ...`; as `cli.main`, but nothing imports Keras.

    Returns the exit status: 0, 1 after an error, 130 after Ctrl-C.
    """
    parser = argparse.ArgumentParser(prog="bert4keras3")
    add_command(parser.add_subparsers(required=True, metavar="COMMAND"))
    options = parser.parse_args(arguments)
    try:
        run(options)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130  # what shells expect: 128 and the number of the signal
    return 0


def run(options) -> None:
    """Shuffle as the parsed arguments say and write a line about it."""
    names = ("sources", "target", "seed", "memory", "workers", "unit", "force")
    try:
        report = shuffle_corpus(
            **{name: getattr(options, name) for name in names}, progress=_progress
        )
    except _LASTING:
        raise
    except OSError:
        if _is_begun(options):
            _say(_HINT)
        raise
    except KeyboardInterrupt:
        _say(f"interrupted: {_HINT}" if _is_begun(options) else "interrupted")
        raise
    again = f", {report.reused} steps done before" if report.reused else ""
    sys.stdout.write(
        f"{report.records:,} records, {report.bytes:,} bytes in {report.seconds:.1f} s"
        f"{again} -> {options.target}\n"
    )


def _is_begun(options):
    """Whether there is something that the same command goes on with."""
    return (folder_of(Path(options.target)) / "manifest.json").exists()


def _say(line):
    bar = "\n" if sys.stderr.isatty() else ""  # which stands on the line
    sys.stderr.write(f"{bar}{line}\n")


def _progress(done, total):
    if not sys.stderr.isatty():
        return
    filled = 30 * done // max(total, 1)
    bar = "#" * filled + "." * (30 - filled)
    sys.stderr.write(f"\r[{bar}] {done / 1e6:,.0f}/{total / 1e6:,.0f} MB")
    sys.stderr.write("\n" if done == total else "")
    sys.stderr.flush()
