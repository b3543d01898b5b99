"""BERT-whitening: better sentence vectors of a plain language model, without training.

Data: folders of `sentence1 TAB sentence2 TAB label` lines in files named *train*, *dev*
or *valid*, *test*. The statistics come from the texts of the first split that is there,
the Spearman x 100 is that of the last.
    python examples/task_sentence_whitening.py --data ATEC BQ LCQMC PAWSX STS-B \
        --model FOLDER --components 384 256
Numbers of zh-tiny: docs/sentence_vectors.md.
https://kexue.fm/archives/8069, https://arxiv.org/abs/2103.15316
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it when imported

import keras

from bert4keras3.layers import FirstToken, GlobalAveragePooling1D
from bert4keras3.metrics import spearman
from bert4keras3.models import build_transformer_model
from bert4keras3.snippets import find_file
from bert4keras3.tokenizers import Tokenizer
from bert4keras3.utils.vectors import sentence_vectors, unit_rows
from bert4keras3.utils.whitening import Whitening

POOLINGS = ("first-last-avg", "last-avg", "cls")
SPLITS = ("train", "dev", "valid", "test")


def read(folder):
    """[(text, text, label), ...] of the first split, and of the last one."""
    there = [part for part in SPLITS if any(Path(folder).glob(f"*{part}*"))]
    found = []
    for part in (there or SPLITS)[:1] + there[-1:]:
        text = find_file(folder, part).read_text(encoding="utf-8")
        rows = (line.split("\t") for line in text.rstrip("\n").split("\n"))
        found.append([(first, second, float(label)) for first, second, label in rows])
    return found


def encoder(name, pooling):
    """A model whose output is one vector per text."""
    bert = build_transformer_model(name, return_keras_model=False)
    if pooling == "cls":
        vector = FirstToken()(bert.model.output)
    else:
        vector = GlobalAveragePooling1D()(bert.model.output)
    if pooling == "first-last-avg":
        first = bert.model.get_layer("Transformer-0-FeedForward-Norm").output
        vector = keras.layers.Average()([GlobalAveragePooling1D()(first), vector])
    return keras.Model(bert.model.inputs, vector)


def correlation(first, second, labels):
    cosines = (unit_rows(first) * unit_rows(second)).sum(axis=1)
    return 100 * spearman(cosines, labels)


def evaluate(vectors, folder, components, size=None):
    """{"raw": Spearman, n: of vectors of n numbers, ...}; vectors: texts -> (N, D)."""
    fit, test = (pairs[:size] for pairs in read(folder))
    texts = list(dict.fromkeys(text for *pair, _ in fit for text in pair))
    statistics = vectors(texts)
    first, second, labels = zip(*test, strict=True)
    pairs = vectors(first), vectors(second)
    result = {"raw": correlation(*pairs, labels)}
    for count in (None, *components):
        whitening = Whitening(count).update(statistics)
        result[count or "all"] = correlation(*map(whitening.transform, pairs), labels)
    return result


def parse(argv):
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", nargs="+", default=[here / "data" / "similarity"])
    parser.add_argument("--model", default="zh-tiny", help="name or folder")
    parser.add_argument("--poolings", nargs="+", choices=POOLINGS, default=POOLINGS)
    parser.add_argument("--components", nargs="+", type=int, default=[128, 64])
    parser.add_argument("--maxlen", type=int, default=64)
    parser.add_argument("--smoke", action="store_true", help="a few texts only")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse(argv)
    components, size = ([8], 32) if args.smoke else (args.components, None)
    tokenizer = Tokenizer(args.model, do_lower_case=True)
    result = {}
    for pooling in args.poolings:
        model = encoder(args.model, pooling)

        def vectors(texts, model=model):
            return sentence_vectors(
                model, tokenizer, texts, args.maxlen, buckets=(32, 64, 128), unit=False
            )

        for folder in args.data:
            found = evaluate(vectors, folder, components, size)
            result[Path(folder).name, pooling] = found
            numbers = "  ".join(f"{name} {value:.2f}" for name, value in found.items())
            print(f"{Path(folder).name} {pooling}: {numbers}")
    return result


if __name__ == "__main__":
    main()
