"""CLUE in one command: train on every task, write the submissions and the table.

    python -m examples.clue.run --data FOLDER --checkpoint FOLDER [--tasks tnews csl]

What is finished is not run again, what was interrupted goes on. docs/clue.md
"""

import contextlib
import dataclasses
import sys
from pathlib import Path

import keras

from examples.clue import curves, folder, training
from examples.clue.arguments import parse
from examples.clue.table import results_of, write_table
from examples.clue.task import Options
from examples.clue.tasks import find_task

SAMPLES = Path(__file__).resolve().parent.parent / "data" / "clue"


def main(argv=None, only=None):
    """Run what the command line says; returns the result of every training.

    only: the one task, its name or its class, which need not be one of CLUE's.
    """
    args = parse(argv, only)
    names = [field.name for field in dataclasses.fields(Options)]
    given = {name: getattr(args, name) for name in names}
    given["data"] = Path(args.data or SAMPLES).resolve()
    options = Options(**given)
    settings = {
        **given,
        "data": str(options.data),
        "dtype": args.dtype,
        "backend": keras.backend.backend(),
    }
    with contextlib.ExitStack() as kept:
        with one_line(argv is None):
            kept.enter_context(surroundings(args.dtype, args.devices))
            tasks = [find_task(name)(options) for name in args.tasks]
            folder.compare(args.output, settings)
            for task in tasks:
                if not all(map(training.finished, places(args, task).values())):
                    look_through(task)
        with folder.opened(args.output, settings) as output:
            return trained(tasks, args, output, settings)


@contextlib.contextmanager
def one_line(command):
    """On the command line, an error in the user's files or options is a line."""
    try:
        yield
    except (ValueError, OSError) as error:
        if not command:
            raise
        raise SystemExit(f"error: {error}") from error


@contextlib.contextmanager
def surroundings(dtype, devices):
    """What Keras keeps for the whole process, as it was again afterwards."""
    policy = keras.config.dtype_policy()
    distribution = keras.distribution.distribution()
    try:
        if dtype == "bfloat16":
            keras.config.set_dtype_policy("mixed_bfloat16")
        if devices != "1":
            keras.distribution.set_distribution(data_parallel(devices))
        yield
    finally:
        keras.config.set_dtype_policy(policy)
        keras.distribution.set_distribution(distribution)


def data_parallel(devices):
    """Every device has the weights and a part of each batch."""
    if keras.backend.backend() != "jax":
        raise ValueError("--devices needs jax: set KERAS_BACKEND=jax, or leave it out.")
    there = keras.distribution.list_devices()
    count = len(there) if devices == "all" else int(devices)
    if not 0 < count <= len(there) or 128 % count:  # 128: batches of predictions
        raise ValueError(
            f"--devices must be 1, 2, 4, ... of the {len(there)} there are. "
            f"Received: {devices}"
        )
    return keras.distribution.DataParallel(devices=there[:count])


def places(args, task):
    """{seed: folder of a task's training}."""
    folder = Path(args.output) / task.name
    return {seed: folder / f"seed-{seed}" for seed in args.seeds}


def look_through(task):
    """Read all files of a task and score a guess: what is wrong ends the run here."""
    samples = {part: task.split(part) for part in ("train", "dev")}
    task.score(samples["dev"], task.majority(samples["train"], samples["dev"]))
    counts = {part: len(rows) for part, rows in samples.items()}
    for path in task.test_files():
        counts[path.name] = len(task.read(path, labelled=False))
    shown = ", ".join(f"{name} {count}" for name, count in counts.items())
    print(f"{task.name}: {shown} samples from {task.folder}", flush=True)


def trained(tasks, args, output, settings):
    """Train what is not finished; table and curves grow with every training."""
    drawn = curves.installed()
    verbose = 1 if sys.stdout.isatty() else 2
    plan = [(task, *one) for task in tasks for one in places(args, task).items()]
    results = []
    for number, (task, seed, place) in enumerate(plan, 1):
        title = f"[{number}/{len(plan)}] {task.name}, seed {seed}"
        print(title + ("" if training.finished(place) is None else ": finished before"))
        results.append(training.train(task, seed, place, args.save_every, verbose))
        print(f"{title}: {told(results[-1])}", flush=True)
        table = write_table(output, settings)
        if drawn:
            path = output / "curves" / f"{task.name}.png"
            curves.draw(results_of(output)[task.name], path)
    print(f"\n{table}\n{output / 'table.md'}")
    return results


def told(result) -> str:
    """A result in a line."""
    return (
        f"{result['metric']} {100 * result['score']:.2f} "
        f"(majority {100 * result['majority']:.2f}) after epoch "
        f"{result['best_epoch']} of {result['epochs']}, {result['seconds']:.0f} s"
    )


if __name__ == "__main__":
    main()
