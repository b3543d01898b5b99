"""Training steps and decoding loops compiled for TPU v5e on a machine without one.

    make bench-tpu                 # all of it, hours on one core
    make bench-tpu ARGS="--cases bert-train --chips 1"

Needs libtpu and its variables, see docs/scale.md; the Makefile sets them. The real
XLA compiler for TPU runs and says what a program needs; nothing is executed, no weight
exists. A Markdown table of: seconds to compile, memory of one chip, operations beside
the analytic count, bytes, operations per byte, and what chips send each other.
"""

import argparse
import os

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np

from bert4keras3.backend import ahead
from bert4keras3.generation import Sampling
from bert4keras3.generation.decoder import Decoder
from bert4keras3.models import build_transformer_model, masked_training_model
from bert4keras3.models.flops import (
    TRAINING,
    decoding_flops,
    gradient_bytes,
    step_flops,
)
from bert4keras3.optimizers import AdamW

CHUNK = 512  # tokens whose logits exist at once
BASE = {
    "vocab_size": 21128, "hidden_size": 768, "num_hidden_layers": 12,
    "num_attention_heads": 12, "intermediate_size": 3072, "max_position": 1024,
    "dropout_rate": 0.1, "attention_dropout_rate": 0.1, "return_keras_model": False,
}
SMALL_T5 = {
    **BASE, "vocab_size": 50000, "hidden_size": 512, "num_hidden_layers": 8,
    "num_attention_heads": 6, "attention_head_size": 64, "intermediate_size": 1024,
}
COLUMNS = (
    "program", "chips", "compile s", "memory GB", "of it temporary", "GFLOPs (XLA)",
    "GFLOPs (counted)", "XLA / counted", "GB accessed", "FLOPs/byte",
    "all-reduce MB", "expected", "host calls",
)


def masked(family):
    """(builder, training model) of a masked language model."""
    t = build_transformer_model(model=family, with_mlm=True, **BASE)
    return t, masked_training_model(t, chunk=CHUNK)


def language(family, sizes):
    """(builder, training model) of a model that generates."""
    t = build_transformer_model(model=family, **sizes)
    return t, t.training_model(chunk=CHUNK)


TRAIN = {
    "bert-train": lambda: masked("bert"),
    "roformer-train": lambda: masked("roformer"),
    "t5_pegasus-small-train": lambda: language("t5_pegasus", SMALL_T5),
    "gpt2-train": lambda: language("gpt2", BASE),
}
DECODE = {
    "unilm-decode": lambda: build_transformer_model(
        model="bert", application="unilm", **BASE
    ),
    "gpt2-decode": lambda: build_transformer_model(model="gpt2", **BASE),
}


def training(name, rows, length, chips):
    """(program, operations as XLA counts them, bytes of all-reduce)."""
    optimizer = AdamW(1e-4, weight_decay=0.01)
    with ahead.unallocated():
        t, trainer = TRAIN[name]()
        trainer.compile(optimizer)
        inputs = [np.zeros((rows, length), one.dtype) for one in trainer.inputs]
        program = ahead.train_step(trainer, inputs)
    both = hasattr(t, "encoder")
    flops = step_flops(t, rows, length, length if both else None).total
    tokens = rows * length // chips
    table = t.embedding_size * t.vocab_size
    looped = TRAINING * 2 * table * tokens * chips
    flops -= looped * (1 - min(CHUNK, tokens) / tokens)  # the loop's body counts once
    return program, flops, gradient_bytes(t, length) if chips > 1 else 0


def decoding(name, rows, length, chips):
    """The same of a loop over new tokens, as many as the prompts have."""
    with ahead.unallocated():
        t = DECODE[name]()
        decoder = Decoder(t, maxlen=length, end_id=102, batch_size=rows)
        program = decoder.program([[5] * length] * rows, Sampling(topp=0.9))
    return program, sum(x.total for x in decoding_flops(t, rows, length, 2 * length)), 0


def row_of(name, program, flops, expected, devices):
    """A line of the table."""
    report = program.compiled(devices).report()
    counted = flops / len(devices)
    reduced = report.collectives.pop("all-reduce", 0)
    others = [f"{k} {size / 1e6:.2f} MB" for k, size in report.collectives.items()]
    values = (
        name, len(devices), f"{report.compiling:.0f}", f"{report.memory / 1e9:.2f}",
        f"{report.temporary / 1e9:.2f}", f"{report.flops / 1e9:.0f}",
        f"{counted / 1e9:.0f}", f"{report.flops / counted:.3f}",
        f"{report.accessed / 1e9:.1f}", f"{report.flops / report.accessed:.0f}",
        ", ".join([f"{reduced / 1e6:.1f}", *others]), f"{expected / 1e6:.1f}",
        ", ".join(report.host_calls) or "none",
    )
    return line(values)


def line(values):
    return "| " + " | ".join(map(str, values)) + " |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = [*TRAIN, *DECODE]
    parser.add_argument("--cases", nargs="*", default=names, choices=names)
    parser.add_argument("--chips", nargs="*", type=int, default=[1, 4])
    parser.add_argument("--batch", type=int, default=16, help="rows per chip")
    parser.add_argument("--length", type=int, default=512)
    parser.add_argument("--policy", default="mixed_bfloat16")
    args = parser.parse_args()
    keras.config.set_dtype_policy(args.policy)
    devices = ahead.tpu_devices("v5e:2x2")
    print(line(COLUMNS), line(["---"] * len(COLUMNS)), sep="\n", flush=True)
    for name in args.cases:
        make = training if name in TRAIN else decoding
        length = args.length if name in TRAIN else args.length // 4
        for chips in args.chips:
            rows = args.batch * chips
            program, flops, expected = make(name, rows, length, chips)
            print(row_of(name, program, flops, expected, devices[:chips]), flush=True)


if __name__ == "__main__":
    main()
