"""The loss of a language model without its logits, beside the plain one.

    KERAS_BACKEND=jax python benchmarks/language_loss.py --rounds 5

A training step of UniLM (batch 16 x 256 tokens, 32 of them the target, vocabulary
21,128) and of T5 (source and target 256), small trunks, so that the vocabulary is what
is measured: memory that the compiled step needs beside its arguments (jax, from the
compiler), or the peak of a fresh process (others), and time, both sides in turn.
"""

import argparse
import os
import resource
import subprocess
import sys
import time

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np
from keras import ops

from bert4keras3.layers import Loss
from bert4keras3.models import build_transformer_model

VOCABULARY, ROWS, LENGTH, TARGET = 21128, 16, 256, 32
SIZES = {
    "vocab_size": VOCABULARY, "hidden_size": 256, "num_attention_heads": 4,
    "intermediate_size": 512, "max_position": 512, "hidden_act": "relu",
}


class Plain(Loss):
    """Mean cross entropy of all logits, as scripts write it."""

    def compute_loss(self, inputs, mask=None):
        ids, weights, logits = inputs
        losses = ops.sparse_categorical_crossentropy(
            ids[:, 1:], logits[:, :-1], from_logits=True
        )
        weights = ops.cast(weights[:, 1:], losses.dtype)
        return ops.sum(losses * weights) / ops.maximum(ops.sum(weights), 1.0)


class Real(keras.layers.Layer):
    """1 at every token: the weights of T5's target here."""

    def call(self, ids):
        return ops.ones_like(ids)


def build(kind, side, layers):
    """(model, inputs): a training step of one side of the comparison."""
    keras.utils.set_random_seed(0)
    generator = np.random.default_rng(0)
    sizes = {**SIZES, "num_hidden_layers": layers, "return_keras_model": False}
    if kind == "unilm":
        head = {"with_mlm": "linear"}
        t = build_transformer_model(model="bert", application="unilm", **sizes, **head)
        ids = generator.integers(1, VOCABULARY, (ROWS, LENGTH))
        data = [ids, np.tile(np.arange(LENGTH) >= LENGTH - TARGET, (ROWS, 1))]
    else:
        t = build_transformer_model(model="t5", with_lm="linear", **sizes)
        data = [generator.integers(1, VOCABULARY, (ROWS, n)) for n in (LENGTH, LENGTH)]
    if side == "ours":
        model = t.training_model()
    else:
        ids, weights = t.model.inputs
        if kind == "t5":
            ids = t.model.inputs[1]
            weights = Real()(ids)
        model = keras.Model(t.model.inputs, Plain(2)([ids, weights, t.model.output]))
    model.compile(keras.optimizers.SGD(0.1))
    return model, [one.astype("int32") for one in data]


def compiled_bytes(kind, side, layers):
    """Temporary memory of the compiled step (jax)."""
    import jax

    model, data = build(kind, side, layers)
    fixed = [one.value for one in model.non_trainable_variables]

    def loss(values):
        _, _, losses = model.stateless_call(
            values, fixed, data, training=True, return_losses=True
        )
        return sum(losses)

    values = [one.value for one in model.trainable_variables]
    step = jax.jit(jax.grad(loss)).lower(values).compile()
    return step.memory_analysis().temp_size_in_bytes


def process_bytes(kind, side, layers):
    """Growth of a fresh process's peak in its first steps."""
    command = [sys.executable, __file__, "--measure", kind, side, str(layers)]
    return int(subprocess.check_output(command).split()[-1])


def measure(kind, side, layers):
    model, data = build(kind, side, int(layers))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(2):
        model.train_on_batch(data)
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        measure(*arguments.measure)
        return
    memory = compiled_bytes if keras.config.backend() == "jax" else process_bytes
    for kind in ("unilm", "t5"):
        sides = ("ours", "plain")
        used = {side: memory(kind, side, arguments.layers) / 1e6 for side in sides}
        print(f"{kind}: {used['ours']:.0f} MB beside {used['plain']:.0f} MB, "
              f"{used['ours'] / used['plain']:.2f}", flush=True)
        steps = {side: build(kind, side, arguments.layers) for side in sides}
        ratios = []
        for number in range(arguments.rounds + 1):
            times = {}
            for side, (model, data) in steps.items():
                start = time.perf_counter()
                model.train_on_batch(data)
                times[side] = time.perf_counter() - start
            if number:  # the first compiles
                ratios.append(times["ours"] / times["plain"])
        print(f"  time {np.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})")


if __name__ == "__main__":
    main()
