"""Two tasks, one encoder: sentiment of reviews and classes of apps, balanced.

Data: the bundled samples of `task_sentiment.py` and
`task_iflytek_adversarial_training.py`, or folders in their formats. Each text has a
label of one task; sample weights leave the other out.
    python examples/task_multitask_balance.py --balance min_norm
    python examples/task_multitask_balance.py --balance main_first --main sentiment
https://kexue.fm/archives/8870, 8896, 8907
"""

import argparse
import json
import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it when imported

import keras
import numpy as np

from bert4keras3.layers import Dense, FirstToken
from bert4keras3.models import build_transformer_model
from bert4keras3.snippets import BucketedGenerator, find_file
from bert4keras3.tokenizers import Tokenizer
from bert4keras3.training import Evaluation, TaskBalance, with_methods

tasks = ("sentiment", "apps")
maxlen = 128
buckets = (64, 128)


def read_reviews(path):
    """[(text, label), ...] of `text TAB label` lines."""
    lines = Path(path).read_text(encoding="utf-8").rstrip("\n").split("\n")
    return [(text, int(label)) for text, label in (x.rsplit("\t", 1) for x in lines)]


def read_apps(path):
    """[(text, label), ...] of json lines."""
    lines = Path(path).read_text(encoding="utf-8").split("\n")
    rows = (json.loads(line) for line in lines if line)
    return [(row["sentence"], int(row["label"])) for row in rows]


class Mixed(BucketedGenerator):
    """Batches of ((ids, segments), labels of both tasks, weights of both tasks)."""

    def collate(self, pairs):
        inputs, (labels, numbers) = super().collate(pairs)
        own = [numbers == i for i in range(len(tasks))]
        labels = tuple(np.where(one, labels, 0) for one in own)
        return inputs, labels, tuple(one.astype("float32") for one in own)


def batches(data, tokenizer, batch_size):
    """`Mixed` of one list of (text, label) per task."""
    rows = [(*pair, task) for task, pairs in enumerate(data) for pair in pairs]

    def encode(row):
        return tokenizer.encode(row[0], maxlen=maxlen), row[1:]

    return Mixed(rows, batch_size, encode=encode, buckets=buckets)


def build_model(args, classes):
    bert = build_transformer_model(args.model, return_keras_model=False)
    first = FirstToken()(bert.model.output)
    heads = [
        Dense(n, activation="softmax", kernel_initializer=bert.initializer, name=name)
        for name, n in zip(tasks, classes, strict=True)
    ]
    model = keras.Model(bert.model.inputs, [head(first) for head in heads])
    if args.balance != "none":
        main = args.main if args.balance == "main_first" else None
        shared = "Embedding|Transformer"  # not the heads
        model = with_methods(model, TaskBalance(args.balance, main, shared))
    model.compile(
        keras.optimizers.AdamW(args.learning_rate),
        loss=[
            keras.losses.SparseCategoricalCrossentropy(
                reduction="mean_with_sample_weight"
            )
            for _ in tasks
        ],
    )
    return model


def evaluate(model, data):
    """The accuracy of each task, and their mean."""
    right, total = np.zeros(len(tasks)), np.zeros(len(tasks))
    for inputs, labels, weights in data:
        for i, scores in enumerate(model.predict_on_batch(inputs)):
            right[i] += np.sum((scores.argmax(-1) == labels[i]) * weights[i])
            total[i] += weights[i].sum()
    shares = right / np.maximum(total, 1)
    result = {name: float(x) for name, x in zip(tasks, shares, strict=True)}
    return {"mean": float(shares.mean()), **result}


def parse(argv):
    data = Path(__file__).parent / "data"
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--reviews", default=data / "sentiment", help="folder")
    parser.add_argument("--apps", default=data / "iflytek", help="folder")
    parser.add_argument("--model", default="zh-tiny", help="name or folder")
    choices = ["none", "inverse_norm", "min_norm", "main_first"]
    parser.add_argument("--balance", default="inverse_norm", choices=choices)
    parser.add_argument("--main", default="sentiment", choices=tasks)
    parser.add_argument("--weights", default="best_model.weights.h5")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=3e-4)
    parser.add_argument("--smoke", action="store_true", help="a few steps only")
    return parser.parse_args(argv)


def main(argv=None):
    args = parse(argv)
    keras.utils.set_random_seed(42)
    size = 32 if args.smoke else None
    train, dev = (
        [
            read_reviews(find_file(args.reviews, part)),
            read_apps(find_file(args.apps, part)),
        ]
        for part in ("train", "dev")
    )
    pairs = zip(train, dev, strict=True)
    classes = [1 + max(label for _, label in one + other) for one, other in pairs]
    train, dev = ([rows[:size] for rows in split] for split in (train, dev))
    tokenizer = Tokenizer(args.model, do_lower_case=True)
    model = build_model(args, classes)
    generator = batches(train, tokenizer, args.batch_size)
    dev = batches(dev, tokenizer, args.batch_size)
    evaluation = Evaluation(lambda m: evaluate(m, dev), "mean", args.weights)
    model.fit(
        generator.forfit(),
        steps_per_epoch=2 if args.smoke else len(generator),
        epochs=1 if args.smoke else args.epochs,
        callbacks=[evaluation],
        shuffle=False,  # the generator does it
    )
    print(args.balance, "best:", evaluation.best_result)
    return evaluation.best_result


if __name__ == "__main__":
    main()
