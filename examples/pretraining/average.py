"""Average the weights of checkpoints that were trained from one another.

    python average.py zh-tiny-2 zh-tiny-3 --out zh-tiny

The mean is often better than each of them (https://arxiv.org/abs/2203.05482), and has
something of both where they were trained in different ways. Trainings that began with
different random weights have no useful mean.
"""

import argparse
import os

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it when imported

from keras import ops
from recipes import RECIPES

from bert4keras3.models import build_transformer_model
from bert4keras3.tokenizers import Tokenizer


def average(folders, recipe="roberta"):
    """The Transformer of the first folder, with the mean of the weights of all.

    folders: model folders or embedded names, of one family and size; recipe: the kind
    of pretraining, which says what heads they have.
    """
    arguments = {**RECIPES[recipe].model, "return_keras_model": False}
    transformer = build_transformer_model(folders[0], **arguments)
    sums = arrays(transformer)
    for folder in folders[1:]:
        other = arrays(build_transformer_model(folder, **arguments))
        if shapes(other) != shapes(sums):
            raise ValueError(
                f"{folder} has other weights than {folders[0]}, or of other shapes: "
                "there is no mean."
            )
        sums = {name: sums[name] + value for name, value in other.items()}
    for name, variable in transformer.variables().items():
        variable.assign(sums[name] / len(folders))
    return transformer


def arrays(transformer):
    """{name: float32 array} of all weights."""
    return {
        name: ops.convert_to_numpy(variable).astype("float32")
        for name, variable in transformer.variables().items()
    }


def shapes(found):
    return {name: value.shape for name, value in found.items()}


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folders", nargs="+", help="model folders or embedded names")
    parser.add_argument("--out", required=True, help="new folder")
    parser.add_argument("--recipe", choices=RECIPES, default="roberta")
    parser.add_argument("--store", default="float16", help="dtype of the weights")
    args = parser.parse_args(argv)
    words = Tokenizer(args.folders[0], do_lower_case=True)
    transformer = average(args.folders, args.recipe)
    transformer.save(args.out, format="hf", dtype=args.store, vocab=words)


if __name__ == "__main__":
    main()
