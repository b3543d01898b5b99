"""Run every benchmark, one process per backend, and print their tables.

    make bench                       # installs the peers in .venv-bench first
    python benchmarks/run.py --backends jax --rounds 5

Figures are medians of steps taken in turn with each peer in the same process; quote
the ratios, the absolute times belong to the machine.
"""

import argparse
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
BACKENDS = ("jax", "tensorflow", "torch")


def run(script, backend, *arguments):
    """Run one script in a fresh process; returns its exit code."""
    environment = {
        **os.environ,
        "KERAS_BACKEND": backend,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "PYTHONPATH": str(HERE.parent),
        "TOKENIZERS_PARALLELISM": "false",
    }
    print(f"\n== {script} on {backend}", flush=True)
    command = [sys.executable, str(HERE / script), *arguments]
    return subprocess.run(command, env=environment).returncode


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backends", nargs="*", default=BACKENDS, choices=BACKENDS)
    parser.add_argument("--rounds", default="7")
    args = parser.parse_args()
    failed = []
    for backend in args.backends:
        for script in ("bert_base.py", "checkpoint_load.py"):
            if run(script, backend, "--rounds", args.rounds):
                failed.append(f"{script} on {backend}")
    alone = ("tokenization", "buckets", "crf", "gplinker", "pointer_memory")
    for script in map("{}.py".format, alone):
        if run(script, args.backends[0]):
            failed.append(script)
    if failed:
        sys.exit("failed: " + ", ".join(failed))


if __name__ == "__main__":
    main()
