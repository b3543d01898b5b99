"""Run as a program on torch: one of the processes that share every batch.

python torch_processes.py PORT NUMBER COUNT HOW FOLDER: HOW is "loop" (a loop over
DistributedDataParallel) or "fit" (gradients are averaged while they arrive).
Saves the weights to FOLDER/NUMBER.npz.
"""

import itertools
import sys

import keras
import numpy as np
import torch
import torch.distributed
from tiny_models import CONFIG, build

import bert4keras3.optimizers as optimizers

ROWS, STEPS = 8, 6


def batches(number, count):
    generator = np.random.default_rng(0)
    own = slice(number * ROWS // count, (number + 1) * ROWS // count)
    while True:
        ids = generator.integers(1, CONFIG["vocab_size"], (ROWS, 8)).astype("int32")
        yield (ids[own], np.zeros_like(ids[own])), np.roll(ids, 1, axis=1)[own]


def average_gradients(model, count):
    """Let every gradient be the mean of all processes as soon as it is there."""

    def average(parameter):
        torch.distributed.all_reduce(parameter.grad)
        parameter.grad /= count

    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.register_post_accumulate_grad_hook(average)


def loop(model, loss, optimizer, data):
    shared = torch.nn.parallel.DistributedDataParallel(model)
    optimizer.build(model.trainable_variables)
    for x, y in itertools.islice(data, STEPS):
        model.zero_grad()
        loss(torch.as_tensor(y), shared(list(map(torch.as_tensor, x)))).backward()
        gradients = [one.value.grad for one in model.trainable_variables]
        with torch.no_grad():
            optimizer.apply(gradients, model.trainable_variables)


def main(port, number, count, how, folder):
    number, count = int(number), int(count)
    torch.distributed.init_process_group(
        "gloo", f"tcp://127.0.0.1:{port}", rank=number, world_size=count
    )
    keras.utils.set_random_seed(3)
    t = build("bert", with_mlm="linear")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = optimizers.AdamW(1e-3, gradient_accumulation_steps=2)
    if how == "loop":
        loop(t.model, loss, optimizer, batches(number, count))
    else:
        average_gradients(t.model, count)
        t.model.compile(optimizer, loss)
        t.model.fit(batches(number, count), steps_per_epoch=STEPS, verbose=0)
    weights = {k: keras.ops.convert_to_numpy(v) for k, v in t.variables().items()}
    weights = {name.replace("/", "|"): one for name, one in weights.items()}
    np.savez(f"{folder}/{number}.npz", **weights)
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(*sys.argv[1:])
