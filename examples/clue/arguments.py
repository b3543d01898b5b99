"""The command line of `examples.clue.run` and of the tasks' own files."""

import argparse
from pathlib import Path

from bert4keras3.utils.assets import EMBEDDED
from bert4keras3.utils.remote import is_remote
from examples.clue.tasks import NAMES

SMOKE = {"limit": 8, "epochs": 1, "batch_size": 4}
SIZES = {
    "maxlen": "tokens of an input at most",
    "batch-size": "texts (questions) of a step",
    "epochs": "passes over the training data",
    "limit": "training samples at most, drawn once",
}


def parse(argv, only=None):
    """The arguments; only: the one task, its name or class, None if they are asked."""
    parser = argparse.ArgumentParser(description="CLUE; see docs/clue.md.")
    add = parser.add_argument
    add("--data", help="CLUE's folder; default: a few samples that are bundled")
    add("--checkpoint", default="zh-tiny", type=checkpoint, help="name or folder")
    add("--family", help="of the model, if its config does not tell")
    add("--cased", action="store_true", help="the vocabulary knows capitals")
    if only is None:
        default = list(NAMES)
        add("--tasks", nargs="+", default=default, choices=NAMES, help="default: all")
    add("--seeds", nargs="+", type=at_least(0), default=[0], help="a training for each")
    add("--output", help="folder; default: clue_runs, or clue_smoke")
    for name, told in SIZES.items():
        add(f"--{name}", type=at_least(8 if name == "maxlen" else 1), help=told)
    add("--learning-rate", type=rate, help="2e-5; 3e-4 for models narrower than 512")
    add("--no-packing", action="store_false", dest="packing", help="one text in a row")
    add("--pooling", choices=["first", "mean", "max"], default="first",
        help="what stands for a text: its first token, or all tokens")  # fmt: skip
    add("--random-weights", action="store_true", help="the model not pretrained")
    add("--dtype", choices=["float32", "bfloat16"], default="float32",
        help="bfloat16: products in half precision")  # fmt: skip
    add("--devices", default="1", type=devices, help="a number, or all (jax)")
    add("--save-every", type=at_least(1), default=200, help="steps between saves")
    add("--smoke", action="store_true", help="a few steps of each")
    args = parser.parse_args(argv)
    args.tasks = [only] if only else list(dict.fromkeys(args.tasks))
    args.seeds = list(dict.fromkeys(args.seeds))
    args.output = args.output or ("clue_smoke" if args.smoke else "clue_runs")
    for name, size in SMOKE.items() if args.smoke else ():
        setattr(args, name, getattr(args, name) or size)
    return args


def at_least(least: int):
    """Type of an argument: a whole number, no less."""

    def whole(text):
        number = int(text) if text.strip("-").isdigit() else least - 1
        if number < least:
            raise argparse.ArgumentTypeError(
                f"expected a whole number of at least {least}. Received: {text!r}"
            )
        return number

    return whole


def rate(text) -> float:
    """Type of an argument: a number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError(
            f"expected a number between 0 and 1, such as 2e-5. Received: {text!r}"
        )
    return number


def devices(text) -> str:
    """Type of an argument: a whole number, or "all"."""
    return text if text == "all" else str(at_least(1)(text))


def checkpoint(text) -> str:
    """Type of an argument: a folder as a whole path, or a name that is known."""
    if Path(text).is_dir():
        return str(Path(text).resolve())
    if text in EMBEDDED or is_remote(text):
        return text
    raise argparse.ArgumentTypeError(
        f"{text!r} is no folder here, and no model of that name comes with the "
        f"library ({', '.join(EMBEDDED)})"
    )
