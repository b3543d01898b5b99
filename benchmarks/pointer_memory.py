"""Memory of one training step of GlobalPointer: label matrices against index pairs.

    python benchmarks/pointer_memory.py --backends jax torch

From the token vectors through the layer and its loss to the gradients: "dense" is
the loss of float32 label matrices, "sparse" the loss of index pairs, "fused" the same
inside `SparsePointerLoss`, head by head. For each, in a fresh process:
  compiled  what XLA plans for arguments, temporaries and outputs (jax only)
  process   growth of the peak resident memory over the steps, labels built in
            NumPy for each step as a generator would
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).parent
PATHS = ("dense", "sparse", "fused")
SHAPE = {"batch": 16, "types": 10, "length": 256, "width": 312, "head_size": 64}
SPANS = 6  # spans of one type in one text
STEPS = 5
MB = 1e6


def resident(what):
    """VmRSS or VmHWM (its peak) of this process, in bytes."""
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    line = next(one for one in lines if one.startswith(what))
    return int(line.split()[1]) * 1024


def labels(path, rng):
    """The labels of one batch: (B, H, T, T) float32 or (B, H, K, 2) int32."""
    import numpy as np

    batch, types, length = (SHAPE[name] for name in ("batch", "types", "length"))
    starts = rng.integers(1, length - 12, (batch, types, SPANS))
    pairs = np.stack([starts, starts + rng.integers(0, 10, starts.shape)], axis=-1)
    if path != "dense":
        return pairs.astype("int32")
    matrices = np.zeros((batch, types, length, length), "float32")
    b, h, k = np.indices(starts.shape)
    matrices[b, h, pairs[b, h, k, 0], pairs[b, h, k, 1]] = 1.0
    return matrices


def loss_of(layer, path):
    """loss(x, labels) of a built layer, a scalar."""
    from keras import ops

    from bert4keras3 import losses

    def loss(x, y):
        if path == "fused":
            return ops.mean(layer.sparse_loss(x, y))
        return objects[path](y, layer(x))

    objects = {
        "dense": losses.GlobalPointerCrossentropy(),
        "sparse": losses.SparseGlobalPointerCrossentropy(),
    }
    return loss


def jax_step(layer, path, x, y):
    """(step, bytes that XLA plans)."""
    import jax
    import keras

    loss = loss_of(layer, path)

    def total(values, x, y):
        pairs = zip(layer.trainable_variables, values, strict=True)
        with keras.StatelessScope(state_mapping=list(pairs)):
            return loss(x, y)

    values = [variable.value for variable in layer.trainable_variables]
    step = jax.jit(jax.value_and_grad(total, argnums=(0, 1)))
    compiled = step.lower(values, x, y).compile()
    plan = compiled.memory_analysis()
    planned = plan.argument_size_in_bytes + plan.temp_size_in_bytes
    planned += plan.output_size_in_bytes
    return lambda x, y: jax.block_until_ready(compiled(values, x, y)), planned


def tensorflow_step(layer, path, x, y):
    import tensorflow as tf

    loss = loss_of(layer, path)

    @tf.function(jit_compile=True)
    def step(x, y):
        with tf.GradientTape() as tape:
            tape.watch(x)
            value = loss(x, y)
        variables = [variable.value for variable in layer.trainable_variables]
        return value, tape.gradient(value, [*variables, x])

    compiled = step.get_concrete_function(
        tf.TensorSpec(x.shape, tf.float32), tf.TensorSpec(y.shape, y.dtype)
    )
    return lambda x, y: compiled(tf.constant(x), tf.constant(y)), None


def torch_step(layer, path, x, y):
    import torch

    loss = loss_of(layer, path)

    def step(x, y):
        x = torch.tensor(x, requires_grad=True)
        value = loss(x, torch.from_numpy(y))
        variables = [variable.value for variable in layer.trainable_variables]
        return value, torch.autograd.grad(value, [*variables, x])

    step(x[:1, :8], y[:1, :, :8, :8] if path == "dense" else y[:1] * 0)
    return step, None


def measure(path, name):
    """Figures of one path in this process."""
    import keras
    import numpy as np

    from bert4keras3 import layers

    rng = np.random.default_rng(0)
    layer = getattr(layers, name)(SHAPE["types"], SHAPE["head_size"])
    x = rng.normal(size=(SHAPE["batch"], SHAPE["length"], SHAPE["width"]))
    x = x.astype("float32")
    layer.build(x.shape)
    make = globals()[f"{keras.config.backend()}_step"]
    step, planned = make(layer, path, x, labels(path, rng))
    pathlib.Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before = resident("VmRSS")
    seconds = []
    for _ in range(STEPS):
        y = labels(path, rng)
        start = time.perf_counter()
        step(x, y)
        seconds.append(time.perf_counter() - start)
    grown = resident("VmHWM") - before
    return {"compiled": planned, "process": grown, "seconds": min(seconds)}


def fresh(path, name, backend):
    """`measure` in a process of its own."""
    environment = {
        **os.environ,
        "KERAS_BACKEND": backend,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "PYTHONPATH": str(HERE.parent),
    }
    command = [sys.executable, __file__, "--measure", path, name]
    run = subprocess.run(command, env=environment, capture_output=True, text=True)
    if run.returncode:
        sys.exit(run.stderr)
    return json.loads(run.stdout.splitlines()[-1])


def table(backend, name):
    """Print one row per path, with its share of the dense one."""
    figures = {path: fresh(path, name, backend) for path in PATHS}
    print(f"\n{name} on {backend}: {SHAPE}")
    for path, row in figures.items():
        cells = []
        for kind in ("compiled", "process"):
            if row[kind]:
                share = row[kind] / figures["dense"][kind]
                cells.append(f"{kind} {row[kind] / MB:6.1f} MB ({share:4.0%})")
        print(f"  {path:6}  {'  '.join(cells)}  {row['seconds']:.3f} s")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backends", nargs="*", default=["jax", "torch"])
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measure(*args.measure)))
        return
    for backend in args.backends:
        for name in ("GlobalPointer", "EfficientGlobalPointer"):
            table(backend, name)


if __name__ == "__main__":
    main()
