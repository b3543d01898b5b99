"""The command `bert4keras3 shuffle`, which starts without Keras."""

import argparse
import sys
from pathlib import Path

from bert4keras3.pretraining.shuffle import shuffle_corpus
from bert4keras3.pretraining.shuffle_scratch import folder_of


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
    """Run `bert4keras3 shuffle ...`; as `cli.main`, but nothing imports Keras."""
    parser = argparse.ArgumentParser(prog="bert4keras3")
    add_command(parser.add_subparsers(required=True, metavar="COMMAND"))
    options = parser.parse_args(arguments)
    try:
        run(options)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


def run(options) -> None:
    """Shuffle as the parsed arguments say and write a line about it."""
    names = ("sources", "target", "seed", "memory", "workers", "unit", "force")
    try:
        report = shuffle_corpus(
            **{name: getattr(options, name) for name in names}, progress=_progress
        )
    except (OSError, KeyboardInterrupt):
        if folder_of(Path(options.target)).exists():
            sys.stderr.write("\nto go on, give the same command again\n")
        raise
    again = f", {report.reused} steps done before" if report.reused else ""
    sys.stdout.write(
        f"{report.records:,} records, {report.bytes:,} bytes in {report.seconds:.1f} s"
        f"{again} -> {options.target}\n"
    )


def _progress(done, total):
    if not sys.stderr.isatty():
        return
    filled = 30 * done // max(total, 1)
    bar = "#" * filled + "." * (30 - filled)
    sys.stderr.write(f"\r[{bar}] {done / 1e6:,.0f}/{total / 1e6:,.0f} MB")
    sys.stderr.write("\n" if done == total else "")
    sys.stderr.flush()
