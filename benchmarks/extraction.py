"""Extraction examples with pretrained and with random weights, as a Markdown table.

    python benchmarks/extraction.py --data DATA [--tasks ner cluener] [--seconds 600]

DATA holds the folders named in TASKS, in the official formats; where a set has no
training file, every n-th line is dev, the others train. Each task runs twice,
from zh-tiny's weights and from random ones of the same model, with the same settings;
a run ends with the first epoch that is over after --seconds.
"""

import argparse
import importlib.util
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras

from bert4keras3 import models
from bert4keras3.models.config_files import read_config
from bert4keras3.training import Evaluation
from bert4keras3.utils.assets import asset_path

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
# name: (example, folder below DATA, further arguments)
TASKS = {
    "people_daily": (
        "task_sequence_labeling_ner_crf",
        "people_daily_ner",
        ["--train=test", "--epochs=12"],
    ),
    "msra": ("task_sequence_labeling_ner_crf", "msra_ner", ["--epochs=12"]),
    "cluener": (
        "task_sequence_labeling_ner_globalpointer",
        "cluener",
        ["--epochs=12"],
    ),
    "sighan_msr": (
        "task_sequence_labeling_cws_crf",
        "sighan2005_cws",
        ["--epochs=8"],
    ),
    "lic2019": ("task_relation_extraction_gplinker", "lic2019", ["--epochs=60"]),
    "duee": (
        "task_event_extraction_gplinker",
        "duee",
        ["--epochs=60", "--batch-size=8"],
    ),
}


# What is split: task: (file, n). DuEE's lines are sorted by event type, so that a dev
# set cut off the end would have types that nothing was trained on.
SPLITS = {"sighan_msr": ("msr_test_gold.utf8", 8), "duee": ("duee_dev.json", 5)}


def split(task, folder, home):
    """Copy the folder to `home`, its one file of labels as a train and a dev part."""
    name, n = SPLITS[task]
    for path in folder.glob("*schema*"):
        (home / path.name).write_bytes(path.read_bytes())
    lines = (folder / name).read_text(encoding="utf-8").rstrip("\n").split("\n")
    parts = {"dev": lines[::n], "train": [x for i, x in enumerate(lines) if i % n]}
    for part, some in parts.items():
        text = "\n".join(some) + "\n"
        (home / f"{part}{Path(name).suffix}").write_text(text, encoding="utf-8")
    return home


class Clock(keras.callbacks.Callback):
    """Ends the training after some seconds, between two epochs."""

    def __init__(self, seconds):
        super().__init__()
        self.start, self.seconds = time.time(), seconds

    def on_epoch_end(self, epoch, logs=None):
        if time.time() - self.start > self.seconds:
            self.model.stop_training = True


def example(name, random, seconds):
    """The example as a module, with random weights and a clock if asked for."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    clock = Clock(seconds)

    class TimedEvaluation(Evaluation):
        def on_epoch_end(self, epoch, logs=None):
            super().on_epoch_end(epoch, logs)
            clock.set_model(self.model)
            clock.on_epoch_end(epoch, logs)

    def build(name, **arguments):
        _, config = read_config(asset_path(name))
        return models.build_transformer_model(config, **arguments)

    module.Evaluation = TimedEvaluation
    if random:
        module.build_transformer_model = build
    return module, clock


def run(task, data, random, seconds):
    """Best result on the dev set, and the seconds it took."""
    name, folder, arguments = TASKS[task]
    module, clock = example(name, random, seconds)
    with tempfile.TemporaryDirectory() as home:
        source = data / folder
        if task in SPLITS:
            source = split(task, source, Path(home))
        weights = f"--weights={home}/best.weights.h5"
        best = module.main([f"--data={source}", weights, *arguments])
    return best, time.time() - clock.start


def shown(best):
    if isinstance(best, dict):
        return ", ".join(f"{name} {value:.4f}" for name, value in best.items())
    return f"{best:.4f}"


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--tasks", nargs="*", default=list(TASKS), choices=list(TASKS))
    parser.add_argument("--seconds", type=float, default=600.0)
    args = parser.parse_args(argv)
    rows = []
    for task in args.tasks:
        for random in (False, True):
            best, seconds = run(task, args.data, random, args.seconds)
            start = "random" if random else "zh-tiny"
            rows.append(f"| {task} | {start} | {shown(best)} | {seconds:.0f} s |")
            sys.stdout.write(rows[-1] + "\n")
    sys.stdout.write("\n| task | weights | dev | time |\n|---|---|---|---|\n")
    sys.stdout.write("\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
