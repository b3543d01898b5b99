"""Training steps with methods, beside the plain step of Keras.

    python benchmarks/training_methods.py --rounds 7

A classifier on BERT's layers under `fit`, on the same batches; the methods take turns,
round by round, and the printed ratios are medians over the rounds.
"""

import argparse
import os
import time

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np

from bert4keras3.models import build_transformer_model
from bert4keras3.training import (
    FGM,
    GradientPenalty,
    RDrop,
    VirtualAdversarial,
    with_methods,
)

METHODS = {
    "Keras": None,
    "with_methods, none": [],
    "FGM, add": [FGM()],
    "FGM, replace": [FGM(mode="replace")],
    "gradient penalty": [GradientPenalty()],
    "gradient penalty, table": [GradientPenalty(positions=False)],
    "virtual adversarial": [VirtualAdversarial()],
    "R-Drop": [RDrop()],
}


def config(layers, size):
    return {
        "vocab_size": 21128,
        "hidden_size": size,
        "num_hidden_layers": layers,
        "num_attention_heads": size // 64,
        "intermediate_size": 4 * size,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "max_position_embeddings": 512,
        "type_vocab_size": 2,
    }


def classifier(args, methods):
    bert = build_transformer_model(config(args.layers, args.size), with_pool=True)
    outputs = keras.layers.Dense(119, activation="softmax")(bert.output)
    model = keras.Model(bert.inputs, outputs)
    model = model if methods is None else with_methods(model, *methods)
    model.compile(keras.optimizers.AdamW(2e-5), "sparse_categorical_crossentropy")
    return model


def batches(args):
    rng = np.random.default_rng(0)
    shape = (args.batch_size * args.steps, args.length)
    ids = rng.integers(1, 21128, shape).astype("int32")
    return [ids, np.zeros_like(ids)], rng.integers(0, 119, len(ids)).astype("int32")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--length", type=int, default=64)
    parser.add_argument("--steps", type=int, default=4, help="of a round")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", help="names that begin so, parted by commas")
    args = parser.parse_args()
    wanted = tuple((args.only or "").split(","))
    x, y = batches(args)
    models = {
        name: classifier(args, methods)
        for name, methods in METHODS.items()
        if name == "Keras" or name.startswith(wanted)
    }
    times = {name: [] for name in models}
    for turn in range(args.rounds + 1):  # the first one compiles
        for name, model in models.items():
            start = time.perf_counter()
            model.fit(x, y, batch_size=args.batch_size, verbose=0)
            if turn:
                times[name].append((time.perf_counter() - start) / args.steps)
    plain = np.array(times["Keras"])
    print(f"{keras.backend.backend()}, {args.layers} layers of {args.size}")
    for name, found in times.items():
        ratio = np.median(np.array(found) / plain)
        print(f"{name:<26}{1e3 * np.median(found):9.1f} ms{ratio:7.2f} x")


if __name__ == "__main__":
    main()
