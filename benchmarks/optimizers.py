"""Lazy rows beside dense Adam, and the cost of averaging the weights.

    python benchmarks/optimizers.py --repeats 15

Both sides of a comparison take turns in one process, compiled by jax with their
buffers donated; printed are medians of times and of the ratios of neighbouring runs.
The table has 50,000 x 768 numbers, of which a batch touches 1,000 rows; its gradient
comes as one tensor, or as `Rows`. "steps" are ten under fit of a small classifier over
the means of such rows, with `LazyRows` and with plain dense Adam. The training step of
the averages is a BERT of 12 layers (or --layers) on a batch of 8 x 128 tokens.
"""

import argparse
import functools
import os
import statistics
import time

os.environ.setdefault("KERAS_BACKEND", "jax")

import jax
import keras
import numpy as np
from keras import ops

from bert4keras3 import optimizers
from bert4keras3.backend.rows import Rows
from bert4keras3.layers import Embedding
from bert4keras3.models import build_transformer_model
from bert4keras3.training import LazyRows, with_methods


class Update:
    """One optimizer and its table as a compiled function with donated state.

    gradient: what makes a gradient of the arrays that it is called with.
    """

    def __init__(self, optimizer, value, gradient=lambda one: one):
        variables = [keras.Variable(value, name="table")]
        optimizer.build(variables)
        self.state = (
            [one.value for one in variables],
            [one.value for one in optimizer.variables],
        )

        def update(state, arrays):
            values, kept = state
            return optimizer.stateless_apply(kept, [gradient(*arrays)], values)

        self.step = jax.jit(update, donate_argnums=0)

    def __call__(self, *arrays):
        self.state = jax.block_until_ready(self.step(self.state, arrays))


class Steps:
    """Steps of a classifier over means of embeddings, under `fit`."""

    def __init__(self, optimizer, methods, value):
        ids = keras.Input((128,), dtype="int32")
        table = Embedding(*value.shape, name="Embedding-Token")
        x = keras.layers.GlobalAveragePooling1D()(table(ids))
        model = keras.Model(ids, keras.layers.Dense(2, activation="softmax")(x))
        table.set_weights([value])
        self.model = with_methods(model, *methods) if methods else model
        self.model.compile(optimizer, "sparse_categorical_crossentropy")

    def __call__(self, ids, labels):
        self.model.fit(ids, labels, batch_size=8, verbose=0)


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

    def __call__(self, *batch):
        self.model.train_on_batch(*batch)


def taken(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def compare(name, ours, other, repeats):
    """Print medians of both and of the ratios other / ours."""
    for function in (ours, other):
        function()
    pairs = [(taken(ours), taken(other)) for _ in range(repeats)]
    first, second = (statistics.median(times) for times in zip(*pairs, strict=True))
    ratio = statistics.median(b / a for a, b in pairs)
    print(f"{name}: {first * 1e3:.1f} ms, {second * 1e3:.1f} ms, ratio {ratio:.3f}")


def lazy(repeats, rows=50_000, width=768, active=1_000):
    rng = np.random.default_rng(0)
    gradient = np.zeros((rows, width), "float32")
    chosen = rng.choice(rows, active, replace=False)
    found = rng.normal(size=(active, width)).astype("float32")
    gradient[chosen] = found
    value = rng.normal(size=(rows, width)).astype("float32")
    whole, ids, found = map(ops.convert_to_tensor, (gradient, chosen, found))
    rules = [("table", {"lazy": True})]
    dense = functools.partial(Update(optimizers.Adam(1e-3), value), whole)
    ours = Update(optimizers.Adam(1e-3, rules=rules), value)
    compare("lazy, dense", functools.partial(ours, whole), dense, repeats)

    def made(ids, found):
        return Rows(ids, found, value.shape)

    ours = Update(optimizers.Adam(1e-3, rules=rules), value, made)
    ours = functools.partial(ours, ops.cast(ids, "int32"), found)
    compare("lazy from Rows, dense", ours, dense, repeats)


def steps(repeats, rows=50_000, width=768, active=1_000, count=10):
    rng = np.random.default_rng(0)
    value = rng.normal(size=(rows, width)).astype("float32")
    tokens = [rng.permutation(rows)[:active] for _ in range(count)]
    again = [rng.choice(one, 8 * 128 - active) for one in tokens]
    ids = np.concatenate([tokens, again], axis=1).reshape(-1, 128).astype("int32")
    labels = rng.integers(0, 2, len(ids))
    rules = [("Embedding-Token", {"lazy": True})]
    ours = Steps(optimizers.Adam(1e-3, rules=rules), [LazyRows()], value)
    dense = Steps(optimizers.Adam(1e-3), [], value)
    both = [functools.partial(one, ids, labels) for one in (ours, dense)]
    compare(f"{count} steps with LazyRows, dense", *both, repeats)


def averages(repeats, layers):
    rng = np.random.default_rng(0)
    tokens = rng.integers(1, 21128, (8, 128))
    batch = [tokens, np.zeros_like(tokens)], rng.integers(0, 2, 8)
    cls = optimizers.extend_with_exponential_moving_average(optimizers.AdamW)
    plain = Training(optimizers.AdamW(1e-5), layers)
    averaged = Training(cls(1e-5), layers)
    both = [functools.partial(one, *batch) for one in (plain, averaged)]
    compare("plain, averaged", *both, repeats)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--only", choices=["lazy", "averages"])
    args = parser.parse_args()
    if args.only != "averages":
        lazy(args.repeats)
        steps(args.repeats)
    if args.only != "lazy":
        averages(args.repeats, args.layers)


if __name__ == "__main__":
    main()
