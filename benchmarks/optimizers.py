"""Lazy rows beside dense Adam, and the cost of averaging the weights.

    python benchmarks/optimizers.py --repeats 15

Both sides of a comparison take turns in one process, compiled by jax with their
buffers donated; printed are medians of times and of the ratios of neighbouring runs.
The table has 50,000 x 768 numbers, of which a batch touches 1,000 rows. The training
step is a BERT of 12 layers (or --layers) on a batch of 8 x 128 tokens.
"""

import argparse
import os
import statistics
import time

os.environ.setdefault("KERAS_BACKEND", "jax")

import jax
import keras
import numpy as np
from keras import ops

from bert4keras3 import optimizers
from bert4keras3.models import build_transformer_model


class Update:
    """One optimizer and its variables as a compiled function with donated state."""

    def __init__(self, optimizer, values):
        variables = [keras.Variable(value, name="table") for value in values]
        optimizer.build(variables)
        self.state = (
            [one.value for one in variables],
            [one.value for one in optimizer.variables],
        )

        def update(state, gradients):
            values, kept = state
            return optimizer.stateless_apply(kept, gradients, values)

        self.step = jax.jit(update, donate_argnums=0)

    def __call__(self, gradients):
        self.state = jax.block_until_ready(self.step(self.state, gradients))


class Training:
    """One step of a model with an optimizer."""

    def __init__(self, optimizer, layers):
        config = {
            "vocab_size": 21128,
            "hidden_size": 768,
            "num_hidden_layers": layers,
            "num_attention_heads": 12,
            "intermediate_size": 3072,
            "hidden_act": "gelu",
            "max_position_embeddings": 512,
            "type_vocab_size": 2,
        }
        bert = build_transformer_model(config, model="bert", with_pool=True)
        head = keras.layers.Dense(2, activation="softmax")(bert.output)
        self.model = keras.Model(bert.inputs, head)
        self.model.compile(optimizer, "sparse_categorical_crossentropy")

    def __call__(self, batch):
        self.model.train_on_batch(*batch)


def taken(function, argument):
    start = time.perf_counter()
    function(argument)
    return time.perf_counter() - start


def compare(name, ours, other, argument, repeats):
    """Print medians of both and of the ratios other / ours."""
    for function in (ours, other):
        function(argument)
    pairs = [(taken(ours, argument), taken(other, argument)) for _ in range(repeats)]
    first, second = (statistics.median(times) for times in zip(*pairs, strict=True))
    ratio = statistics.median(b / a for a, b in pairs)
    print(f"{name}: {first * 1e3:.1f} ms, {second * 1e3:.1f} ms, ratio {ratio:.3f}")


def lazy(repeats, rows=50_000, width=768, active=1_000):
    rng = np.random.default_rng(0)
    gradient = np.zeros((rows, width), "float32")
    chosen = rng.choice(rows, active, replace=False)
    gradient[chosen] = rng.normal(size=(active, width))
    value = rng.normal(size=(rows, width)).astype("float32")
    rules = [("table", {"lazy": True})]
    ours = Update(optimizers.Adam(1e-3, rules=rules), [value])
    dense = Update(optimizers.Adam(1e-3), [value])
    compare("lazy, dense", ours, dense, [ops.convert_to_tensor(gradient)], repeats)


def averages(repeats, layers):
    rng = np.random.default_rng(0)
    tokens = rng.integers(1, 21128, (8, 128))
    batch = [tokens, np.zeros_like(tokens)], rng.integers(0, 2, 8)
    cls = optimizers.extend_with_exponential_moving_average(optimizers.AdamW)
    plain = Training(optimizers.AdamW(1e-5), layers)
    averaged = Training(cls(1e-5), layers)
    compare("plain, averaged", plain, averaged, batch, repeats)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--only", choices=["lazy", "averages"])
    args = parser.parse_args()
    if args.only != "averages":
        lazy(args.repeats)
    if args.only != "lazy":
        averages(args.repeats, args.layers)


if __name__ == "__main__":
    main()
