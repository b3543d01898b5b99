"""CLUE in one command: train on every task, write the submissions and the table.

    python -m examples.clue.run --data FOLDER --checkpoint FOLDER [--tasks tnews csl]

What is finished is not run again, what was interrupted goes on. docs/clue.md
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it when imported
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras

from examples.clue.task import Options
from examples.clue.tasks import NAMES, find_task
from examples.clue.training import train


def parse(argv, only=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="CLUE's folder")
    parser.add_argument("--checkpoint", default="zh-tiny", help="name or folder")
    parser.add_argument("--family", help="of the model, if its config does not tell")
    if only is None:
        parser.add_argument("--tasks", nargs="+", default=list(NAMES), choices=NAMES)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--output", default="clue_runs", help="folder")
    for size in ("maxlen", "batch-size", "epochs", "limit"):
        parser.add_argument(f"--{size}", type=int)
    parser.add_argument("--learning-rate", type=float)
    parser.add_argument("--no-packing", action="store_false", dest="packing")
    parser.add_argument("--random-weights", action="store_true")
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    args = parser.parse_args(argv)
    args.tasks = [only] if only else args.tasks
    return args


def main(argv=None, only=None):
    args = parse(argv, only)
    if args.dtype == "bfloat16":
        keras.config.set_dtype_policy("mixed_bfloat16")
    sizes = ("maxlen", "batch_size", "epochs", "learning_rate", "limit")
    options = Options(
        Path(args.data),
        args.checkpoint,
        args.family,
        packing=args.packing,
        random_weights=args.random_weights,
        **{name: getattr(args, name) for name in sizes},
    )
    results = []
    for name in args.tasks:
        task = find_task(name)(options)
        for seed in args.seeds:
            folder = Path(args.output) / name / f"seed-{seed}"
            results.append(train(task, seed, folder))
            print(results[-1]["task"], seed, results[-1]["score"])
    return results


if __name__ == "__main__":
    main()
