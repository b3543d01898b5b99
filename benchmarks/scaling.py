"""A training step on 1, 2, 4 and 8 virtual CPU devices: time, memory, bytes exchanged.

    python benchmarks/scaling.py --layers 4 --hidden 256 --batch 16 --length 128

The devices share the cores of one machine, so that times say what the exchange costs
and not how much faster several devices are. Bytes are those of the compiled program.
"""

import argparse
import os
import time

os.environ["KERAS_BACKEND"] = "jax"
os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=8"

import jax
import keras
import numpy as np

from bert4keras3.backend.program_report import collectives
from bert4keras3.models import build_transformer_model, model_parallel

MESHES = ((1, 1), (2, 1), (4, 1), (8, 1), (1, 2), (1, 4), (1, 8), (2, 4), (4, 2))


def program(args, sizes):
    """(compiled step, its arguments, parameters, bytes of a device)."""
    model = build_transformer_model(**sizes, with_mlm="linear")
    optimizer = keras.optimizers.AdamW(1e-4)
    optimizer.build(model.trainable_variables)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def total(trained, others, x, y):
        scores, others = model.stateless_call(trained, others, x, training=True)
        return loss(y, scores), others

    def step(trained, others, state, x, y):
        (value, others), gradients = jax.value_and_grad(total, has_aux=True)(
            trained, others, x, y
        )
        trained, state = optimizer.stateless_apply(state, gradients, trained)
        return trained, others, state, value

    groups = (
        model.trainable_variables,
        model.non_trainable_variables,
        optimizer.variables,
    )
    values = [[v.value for v in group] for group in groups]
    layout = keras.distribution.distribution().get_data_layout((args.batch, 1))
    ids = np.random.default_rng(0).integers(1, 9, (args.batch, args.length))
    x = [
        jax.device_put(one.astype("int32"), layout.backend_layout)
        for one in (ids, ids * 0)
    ]
    where = jax.tree.map(lambda one: one.sharding, values)
    compiled = jax.jit(step, donate_argnums=(0, 1, 2), out_shardings=(*where, None))
    compiled = compiled.lower(*values, x, x[0]).compile()
    kept = [v.value.addressable_shards[0].data.nbytes for g in groups for v in g]
    return compiled, (values, x), model.count_params(), sum(kept)


def measured(args, sizes):
    """(seconds of a step, parameters, bytes of a device, {kind: bytes exchanged})."""
    compiled, (values, x), parameters, kept = program(args, sizes)
    times = []
    for _ in range(args.rounds + 1):
        start = time.perf_counter()
        *values, value = compiled(*values, x, x[0])
        value.block_until_ready()
        times.append(time.perf_counter() - start)
    exchanged = collectives(compiled.as_text())
    return sorted(times[1:])[args.rounds // 2], parameters, kept, exchanged


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name, value in {"layers": 4, "hidden": 256, "batch": 16, "length": 128}.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--vocabulary", type=int, default=21128)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    sizes = {
        "vocab_size": args.vocabulary,
        "hidden_size": args.hidden,
        "num_hidden_layers": args.layers,
        "num_attention_heads": 8,
        "intermediate_size": 4 * args.hidden,
    }
    print("| copies x parts | ms/step | MB/device | exchanged, MB/device and step |")
    print("|---|---|---|---|")
    for copies, parts in MESHES:
        devices = keras.distribution.list_devices()[: copies * parts]
        shared = model_parallel(mesh=(copies, parts), devices=devices, **sizes)
        keras.distribution.set_distribution(shared)
        seconds, parameters, kept, exchanged = measured(args, sizes)
        told = ", ".join(f"{k} {v / 1e6:.1f}" for k, v in sorted(exchanged.items()))
        row = f"{seconds * 1e3:.0f} | {kept / 1e6:.0f} | {told or '-'}"
        print(f"| {copies} x {parts} | {row} |", flush=True)
    print(f"{parameters} parameters, {parameters * 4 / 1e6:.1f} MB of gradients")


if __name__ == "__main__":
    main()
