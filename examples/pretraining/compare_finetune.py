"""Fine-tune on review sentiment from pretrained and from random weights.

    python compare_finetune.py --model zh-tiny --seeds 3
    python compare_finetune.py --model zh-tiny --train 480 --epochs 8

Data: examples/data/sentiment (2,400 reviews to train on, 600 dev reviews whose
text is not in the pretraining corpus). Dev accuracy of both starts is in the
README of bert4keras3/assets/zh-tiny; a few minutes on 2 CPU cores.
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it when imported

import keras
import numpy as np

from bert4keras3.layers import GlobalAveragePooling1D
from bert4keras3.models import build_transformer_model
from bert4keras3.tokenizers import Tokenizer
from bert4keras3.utils.assets import asset_path

DATA = Path(__file__).resolve().parent.parent / "data" / "sentiment"
LENGTH = 36


def load(path, tokenizer, limit=None):
    """TSV lines ``text<TAB>label`` as token ids (N, T) and labels (N,)."""
    rows = [r.rsplit("\t", 1) for r in path.read_text("utf-8").split("\n") if r]
    rows = rows[:limit]
    ids = np.zeros((len(rows), LENGTH), "int32")
    for i, (text, _) in enumerate(rows):
        one = tokenizer.encode(text, maxlen=LENGTH)[0]
        ids[i, : len(one)] = one
    return ids, np.array([int(label) for _, label in rows])


def dev_accuracy(config, train, dev, seed, epochs, rate):
    """Train a classifier on the mean of all tokens; return its accuracy on dev.

    The mean, because no pretraining task has taught [CLS] to stand for the text.

    config: a model folder, or a config file for random weights.
    """
    keras.utils.set_random_seed(seed)
    encoder = build_transformer_model(config)
    pooled = GlobalAveragePooling1D()(encoder.output)
    scores = keras.layers.Dense(2, activation="softmax")(pooled)
    model = keras.Model(encoder.inputs, scores)
    steps = -(-len(train[0]) // 32) * epochs
    schedule = keras.optimizers.schedules.PolynomialDecay(rate, steps, 0.0)
    model.compile(
        keras.optimizers.AdamW(schedule, weight_decay=0.01),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )

    def inputs(ids):
        return [ids, np.zeros_like(ids)]

    model.fit(inputs(train[0]), train[1], batch_size=32, epochs=epochs, verbose=0)
    return model.evaluate(inputs(dev[0]), dev[1], batch_size=100, verbose=0)[1]


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="zh-tiny", help="folder or embedded name")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--train", type=int, help="use that many training reviews")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--lr", type=float, default=5e-4)
    parser.add_argument("--smoke", action="store_true", help="64 reviews, one epoch")
    args = parser.parse_args(argv)
    if args.smoke:
        args.seeds, args.epochs, args.train = 1, 1, 64
    folder = Path(asset_path(args.model))
    tokenizer = Tokenizer(str(folder / "vocab.txt"), do_lower_case=True)
    train = load(args.data / "train.tsv", tokenizer, args.train)
    dev = load(args.data / "dev.tsv", tokenizer, 64 if args.smoke else None)
    for name, config in (("pretrained", folder), ("random", folder / "config.json")):
        found = [
            dev_accuracy(str(config), train, dev, seed, args.epochs, args.lr)
            for seed in range(args.seeds)
        ]
        figures = " ".join(f"{accuracy:.4f}" for accuracy in found)
        print(f"{name}: dev accuracy {figures} mean {np.mean(found):.4f}", flush=True)


if __name__ == "__main__":
    main()
