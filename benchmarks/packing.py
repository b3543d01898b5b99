"""Training with several texts in a row, beside length buckets and fixed padding.

    KERAS_BACKEND=jax python benchmarks/packing.py --lengths tnews afqmc
    KERAS_BACKEND=jax python benchmarks/packing.py --data train.json

Epochs of a classifier of first tokens, the embedded "zh-tiny" (BERT, 4 layers, 256)
or a RoFormer of that size, over random tokens of the lengths of TNEWS (titles) and
AFQMC (pairs of questions), or over the texts of a file (json lines with "sentence" or
"sentence1" and "sentence2"). Three ways take turns in one process: every batch padded
to 128; `BucketedGenerator`; `PackedGenerator`. Each has as many texts in a step on
average. Prints the first epoch (with compilation) and the median of the others.
"""

import argparse
import json
import os
import time

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np

from bert4keras3.models import build_transformer_model
from bert4keras3.snippets import BucketedGenerator, PackedGenerator
from bert4keras3.tokenizers import Tokenizer

CLASSES, VOCABULARY = 15, 5000
# Quantiles 0, 5, 25, 50, 75, 95, 99.5, 100 of the token counts of zh-tiny.
QUANTILES = (0, 5, 25, 50, 75, 95, 99.5, 100)
LENGTHS = {
    "tnews": (4, 12, 19, 24, 29, 33, 42, 60),
    "afqmc": (12, 19, 23, 27, 33, 48, 80, 128),
}
ROFORMER = {
    "vocab_size": VOCABULARY,
    "hidden_size": 256,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 1024,
    "hidden_act": "gelu",
}


def drawn(name, count):
    """((token ids, segment ids), label) of random tokens, lengths as in LENGTHS."""
    rng = np.random.default_rng(0)
    places = rng.uniform(0, 100, count)
    lengths = np.interp(places, QUANTILES, LENGTHS[name]).round().astype(int)
    rows = [rng.integers(1, VOCABULARY, n).tolist() for n in lengths]
    return [((ids, [0] * len(ids)), int(rng.integers(CLASSES))) for ids in rows]


def read(path, count):
    """The same of the texts of a file, with labels that mean nothing."""
    tokenizer, found = Tokenizer("zh-tiny", do_lower_case=True), []
    with open(path, encoding="utf-8") as lines:
        for line, _ in zip(lines, range(count), strict=False):
            item = json.loads(line)
            first = item.get("sentence1", item.get("sentence"))
            inputs = tokenizer.encode(first, item.get("sentence2"), maxlen=128)
            found.append((inputs, len(found) % CLASSES))
    return found


def classifier(args, packed):
    config = "zh-tiny" if args.model == "zh-tiny" else ROFORMER
    family = {} if args.model == "zh-tiny" else {"model": "roformer"}
    base = build_transformer_model(
        config, with_first_token=True, packed=packed, **family
    )
    outputs = keras.layers.Dense(CLASSES, activation="softmax")(base.output)
    model = keras.Model(base.inputs, outputs)
    loss = keras.losses.SparseCategoricalCrossentropy(
        reduction="mean_with_sample_weight"
    )
    model.compile("adam", loss, jit_compile=keras.backend.backend() != "torch")
    return model


class Way:
    """A generator and a model that train by epochs."""

    def __init__(self, args, name, data):
        self.name, self.seconds = name, []
        keras.utils.set_random_seed(0)
        self.model = classifier(args, name == "packed")
        if name == "packed":
            tokens = np.mean([len(inputs[0]) for inputs, _ in data])
            rows = max(1, round(args.batch * tokens / args.length[0] / 0.99))
            self.generator = PackedGenerator(
                data,
                rows,
                length=args.length,
                texts=args.texts or max(2, round(2 * args.length[0] / tokens)),
                seed=0,
            )
        else:
            buckets = {} if name == "buckets" else {"buckets": (128,)}
            self.generator = BucketedGenerator(data, args.batch, seed=0, **buckets)
        self.steps = len(self.generator)
        self.stream = self.generator.forfit(prefetch=2)

    def epoch(self):
        start = time.perf_counter()
        steps = {"steps_per_epoch": self.steps, "verbose": 0, "shuffle": False}
        self.model.fit(self.stream, **steps)
        self.seconds.append(time.perf_counter() - start)

    def second(self):
        """Seconds of an epoch without compilation."""
        return float(np.median(self.seconds[1:]))


def compare(args, title, data):
    sizes = [len(inputs[0]) for inputs, _ in data]
    print(f"\n{title}: {len(data)} texts, {np.mean(sizes):.1f} tokens, at most "
          f"{max(sizes)}, rows of {args.length}")
    ways = [Way(args, name, data) for name in args.ways]
    for _ in range(args.rounds + 1):
        for way in ways:
            way.epoch()
    fastest = ways[-1].second()
    for way in ways:
        second = way.second()
        print(f"{way.name:8} {way.steps:5} steps  first {way.seconds[0]:6.1f} s  then "
              f"{second:6.2f} s  {len(data) / second:6.0f} texts/s  "
              f"{second / fastest:.2f} x the time of {ways[-1].name}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--lengths", nargs="*", default=["tnews", "afqmc"])
    parser.add_argument("--data", nargs="*", default=[], help="files of json lines")
    parser.add_argument("--model", choices=["zh-tiny", "roformer"], default="zh-tiny")
    parser.add_argument("--samples", type=int, default=3200)
    parser.add_argument("--batch", type=int, default=32, help="texts in a step")
    parser.add_argument("--length", type=int, nargs="+", default=[128],
                        help="tokens of a row, and of those for long texts")
    parser.add_argument("--texts", type=int,
                        help="places in a row; default: twice the texts that it holds")
    parser.add_argument("--rounds", type=int, default=3)
    ways = ["padded", "buckets", "packed"]
    parser.add_argument("--ways", nargs="*", default=ways, choices=ways)
    args = parser.parse_args()
    for name in args.lengths:
        compare(args, name, drawn(name, args.samples))
    for path in args.data:
        compare(args, path, read(path, args.samples))


if __name__ == "__main__":
    main()
