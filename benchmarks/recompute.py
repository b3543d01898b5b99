"""What a training step keeps for its gradient, with and without recompute=True, on jax.

    python benchmarks/recompute.py --layers 12 --batch 32 --length 128

Kept bytes are those of the arrays between forward and backward pass, weights included.
XLA's CPU compiler merges both passes again, so that memory is saved on GPU and TPU.
"""

import argparse
import math
import os
import time

os.environ["KERAS_BACKEND"] = "jax"

import jax
import numpy as np
from keras import ops

from bert4keras3.models import build_transformer_model


def measured(args, recompute):
    """(bytes kept, seconds of a step)."""
    model = build_transformer_model(
        vocab_size=1000,
        hidden_size=args.hidden,
        num_hidden_layers=args.layers,
        num_attention_heads=args.hidden // 64,
        intermediate_size=4 * args.hidden,
        dropout_rate=0.1,
        attention_dropout_rate=0.1,
        recompute=recompute,
    )
    x = [np.ones((args.batch, args.length), "int32")] * 2

    def loss(trainable, others):
        y, _ = model.stateless_call(trainable, others, x, training=True)
        return ops.mean(ops.square(y))

    groups = model.trainable_variables, model.non_trainable_variables
    values = [[v.value for v in group] for group in groups]
    kept = jax.eval_shape(lambda *values: jax.vjp(loss, *values)[1], *values)
    size = sum(math.prod(x.shape) * x.dtype.itemsize for x in jax.tree.leaves(kept))
    program, times = jax.jit(jax.grad(loss)), []
    for _ in range(args.rounds + 1 if args.rounds else 0):
        start = time.perf_counter()
        jax.block_until_ready(program(*values))
        times.append(time.perf_counter() - start)
    return size, sorted(times[1:] or [0.0])[args.rounds // 2]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--hidden", type=int, default=768)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=0, help="of timing")
    args = parser.parse_args()
    found = {flag: measured(args, flag) for flag in (False, True)}
    for flag, (size, seconds) in found.items():
        print(f"recompute={flag}: {size / 2**20:.0f} MiB, {seconds:.2f} s")
    print(f"kept x {found[True][0] / found[False][0]:.2f}")
    if args.rounds:
        print(f"time x {found[True][1] / found[False][1]:.2f}")


if __name__ == "__main__":
    main()
