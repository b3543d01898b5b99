"""Training with length buckets, beside padding every batch to one length.

    KERAS_BACKEND=jax python benchmarks/buckets.py --samples 8000

One epoch of classification over texts as short as news titles (lognormal lengths,
median 22 tokens, at most 52) with a small BERT. Prints compilations of the training
step, the time of the first epoch with compilation and of a second one, and ratios.
"""

import argparse
import logging
import os
import time

os.environ.setdefault("KERAS_BACKEND", "jax")

import jax
import keras
import numpy as np

from bert4keras3.models import build_transformer_model
from bert4keras3.snippets import BucketedGenerator

CLASSES = 15


class Compilations(logging.Handler):
    """Counts what jax says it compiles."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def emit(self, record):
        self.count += record.getMessage().startswith("Compiling jit(train_step)")


def samples(count, lengths=None, seed=0):
    """((token ids, segment ids), label) of random tokens."""
    rng = np.random.default_rng(seed)
    if lengths is None:
        lengths = np.clip(rng.lognormal(np.log(22), 0.35, count), 6, 52)
    else:
        lengths = rng.choice(lengths, count)
    rows = [rng.integers(1, 5000, int(n)).tolist() for n in lengths]
    return [((ids, [0] * len(ids)), int(rng.integers(CLASSES))) for ids in rows]


def model(args):
    bert = build_transformer_model(
        {
            "vocab_size": 5000,
            "hidden_size": args.hidden,
            "num_hidden_layers": args.layers,
            "num_attention_heads": args.hidden // 64,
            "intermediate_size": 4 * args.hidden,
            "max_position_embeddings": 512,
            "hidden_act": "gelu",
        },
        with_pool=True,
    )
    output = keras.layers.Dense(CLASSES, activation="softmax")(bert.output)
    classifier = keras.Model(bert.inputs, output)
    classifier.compile("adam", "sparse_categorical_crossentropy", jit_compile=True)
    return classifier


def epochs(args, data, buckets):
    """(compilations, seconds of the first epoch, of the second, batches per length)."""
    keras.utils.set_random_seed(0)
    classifier, counter = model(args), Compilations()
    generator = BucketedGenerator(data, args.batch, buckets=buckets, seed=0)
    widths = {}

    def batches():
        for batch in generator.forfit(prefetch=2):
            width = batch[0][0].shape[1]
            widths[width] = widths.get(width, 0) + 1
            yield batch

    stream, seconds = batches(), []
    logging.getLogger("jax").addHandler(counter)
    with jax.log_compiles():
        for _ in range(2):
            start = time.perf_counter()
            classifier.fit(
                stream, steps_per_epoch=len(generator), verbose=0, shuffle=False
            )
            seconds.append(time.perf_counter() - start)
    logging.getLogger("jax").removeHandler(counter)
    return counter.count, *seconds, dict(sorted(widths.items()))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--samples", type=int, default=8000)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--buckets", type=int, nargs="+", default=[16, 24, 32, 64, 128])
    parser.add_argument("--lengths", help="text file of lengths to draw from")
    args = parser.parse_args()
    logging.getLogger("jax").propagate = False  # the log is counted, not shown
    lengths = None if args.lengths is None else np.loadtxt(args.lengths)
    data = samples(args.samples, lengths)
    sizes = [len(inputs[0]) for inputs, _ in data]
    print(f"{len(data)} samples, median {np.median(sizes):.0f}, longest {max(sizes)}")
    found = {}
    for name, buckets in (("buckets", args.buckets), ("fixed", args.buckets[-1:])):
        found[name] = epochs(args, data, buckets)
        count, first, second, widths = found[name]
        print(f"{name:8} {count} compilations for {len(buckets)} lengths, first epoch "
              f"{first:.1f} s, second {second:.1f} s, batches per length {widths}")
    pairs = zip(found["buckets"][1:3], found["fixed"][1:3], strict=True)
    first, second = (fixed / bucketed for bucketed, fixed in pairs)
    print(f"buckets: {first:.2f} x as fast with compilation, {second:.2f} x without")


if __name__ == "__main__":
    main()
