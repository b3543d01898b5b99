"""FewCLUE: nine sets with few labelled samples, by fine-tuning or by PET.

FOLDER/NAME/train_0.json to train_4.json and train_few_all.json, dev_... likewise,
test_public.json with labels, test.json without: json lines. Scores are accuracies on
test_public.json of what was best on dev; some measured ones: docs/prompts.md.
    python -m examples.clue.fewclue --data FOLDER --checkpoint FOLDER --method pet
https://arxiv.org/abs/2107.07498
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it when imported
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from bert4keras3.extraction.jsonl import json_lines
from examples import task_pet
from examples.clue import folder as run_folder
from examples.clue.arguments import checkpoint
from examples.clue.fewclue_sets import SETS, few_shot
from examples.clue.task import Options, default_rate
from examples.clue.training import train

SPLITS = ("few_all", "0", "1", "2", "3", "4")


def fine_tune(name, seed, folder, args) -> dict:
    """{"dev", "test"}: accuracies of a classifier."""
    small = {"limit": 16, "maxlen": 32, "epochs": 1} if args.smoke else {}
    sizes = {"epochs": args.epochs, "learning_rate": args.learning_rate, **small}
    options = Options(Path(args.data), args.checkpoint, **sizes)
    task = few_shot(name, args.split)(options)
    result = train(task, seed, folder)
    gold = [row for _, row in json_lines(task.folder / "test_public.json")]
    found = [row for _, row in json_lines(folder / "public.json")]
    key = "answer" if name == "chid" else "label"
    pairs = [(str(a[key]), str(b[key])) for a, b in zip(gold, found, strict=True)]
    right = [a == b for a, b in pairs if a != "-"]  # "-": annotators did not agree
    return {"dev": result["score"], "test": float(np.mean(right))}


def pet(name, seed, folder, args) -> dict:
    """{"dev", "test"}: accuracies of a masked language model that fills in words."""
    folder.mkdir(parents=True, exist_ok=True)
    rate = args.learning_rate or default_rate(args.checkpoint)
    options = {
        "task": name,
        "data": args.data,
        "model": args.checkpoint,
        "split": args.split,
        "seed": seed,
        "weights": folder / "best.weights.h5",
        "learning-rate": rate,
        "epochs": args.epochs or 20,
    }
    given = [f"--{key}={value}" for key, value in options.items()]
    return task_pet.main([*given, *["--smoke"] * args.smoke])


METHODS = {"fine-tune": (fine_tune, SETS), "pet": (pet, task_pet.TASKS)}


def parse(argv):
    here = Path(__file__).resolve().parents[1]
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", default=here / "data" / "fewclue", help="folder")
    parser.add_argument(
        "--checkpoint", default="zh-tiny", type=checkpoint, help="name or folder"
    )
    parser.add_argument("--tasks", nargs="+", choices=SETS, default=["eprstmt"])
    parser.add_argument("--method", choices=METHODS, default="fine-tune")
    parser.add_argument("--split", choices=SPLITS, default="few_all")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--output", help="folder; default: fewclue_runs, or clue_smoke")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--learning-rate", type=float)
    parser.add_argument("--smoke", action="store_true", help="a few steps only")
    args = parser.parse_args(argv)
    args.output = args.output or ("clue_smoke" if args.smoke else "fewclue_runs")
    unknown = [name for name in args.tasks if name not in METHODS[args.method][1]]
    if unknown:
        names = ", ".join(METHODS[args.method][1])
        parser.error(f"--method {args.method} has no {unknown[0]}. It has: {names}")
    return args


def main(argv=None):
    """{(task, seed): {"dev", "test"}} of what was asked for.

    Each set and method has a folder with the settings it was trained with: others
    are refused there, and what is finished is not fine-tuned again.
    """
    args = parse(argv)
    run, results = METHODS[args.method][0], {}
    names = ("checkpoint", "epochs", "learning_rate", "smoke")
    settings = {name: getattr(args, name) for name in names}
    settings["data"] = str(Path(args.data).resolve())
    for name in args.tasks:
        place = Path(args.output, name, f"{args.method}-{args.split}")
        with run_folder.opened(place, settings):
            for seed in args.seeds:
                scores = run(name, seed, place / f"seed-{seed}", args)
                results[name, seed] = scores
                told = ", ".join(f"{part} {x:.4f}" for part, x in scores.items())
                print(f"{name} {args.method} seed {seed}: {told}")
    return results


if __name__ == "__main__":
    main()
