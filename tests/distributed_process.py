"""Run as a program: one of the processes that train a model together on CPUs.

python distributed_process.py PORT NUMBER COUNT MODE CHECKPOINT FOLDER STEPS
MODE: "data" (every process has the whole model), "model" (it is cut over all of them)
or "alone". Writes FOLDER/NUMBER.npz: the losses of so many steps, the memory in MB
before and after loading, the share of the weights that is here. With steps the model
is saved too, to FOLDER/saved, and as FOLDER/model.ckpt: of how many files it tells.
"""

import sys
from pathlib import Path

import jax
import keras
import numpy as np

import bert4keras3.optimizers
from bert4keras3.models import build_transformer_model, model_parallel

ROWS, LENGTH = 8, 12


def peak():
    """Most memory of this process so far in MB.

    `resource.getrusage` would also count what the process that started it had.
    """
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    found = next(one for one in lines if one.startswith("VmHWM:"))
    return int(found.split()[1]) / 1024


def distribution(mode, count, checkpoint):
    """What the mode says, or None."""
    if mode == "model":
        return model_parallel(checkpoint, mesh=(1, count), with_mlm="linear")
    if mode == "data":
        return keras.distribution.DataParallel(auto_shard_dataset=False)
    return None


def batches(number, count, vocabulary):
    """Endless batches; of each a process takes its own rows."""
    generator = np.random.default_rng(0)
    own = slice(number * ROWS // count, (number + 1) * ROWS // count)
    while True:
        ids = generator.integers(1, vocabulary, (ROWS, LENGTH)).astype("int32")
        x = [ids[own], np.zeros_like(ids[own])]
        yield tuple(x), np.roll(ids, 1, axis=1)[own]


def train(t, mode, number, count, steps):
    """The losses of some steps."""
    # Rows are shared among copies of the model; parts of one model read the same ones.
    shares = (number, count) if mode == "data" else (0, 1)
    t.model.compile(
        bert4keras3.optimizers.AdamW(1e-3),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    data = batches(*shares, t.vocab_size)
    fit = t.model.fit(data, steps_per_epoch=1, epochs=steps, verbose=0)
    return fit.history["loss"]


def main(port, number, count, mode, checkpoint, folder, steps):
    number, count = int(number), int(count)
    if count > 1:
        jax.config.update("jax_cpu_collectives_implementation", "gloo")
        keras.distribution.initialize(f"127.0.0.1:{port}", count, number)
    keras.utils.set_random_seed(1)
    empty = peak()
    keras.distribution.set_distribution(distribution(mode, count, checkpoint))
    t = build_transformer_model(
        checkpoint, with_mlm="linear", return_keras_model=False, dropout_rate=0.1
    )
    loaded, losses, files = peak(), [], []
    parts = [v.value.addressable_shards[0].data.nbytes for v in t.model.weights]
    share = sum(parts) / sum(v.value.nbytes for v in t.model.weights)
    if int(steps):
        losses = train(t, mode, number, count, int(steps))
        t.save(f"{folder}/saved")
        files = t.save_weights_as_checkpoint(f"{folder}/model.ckpt")
    results = {"losses": losses, "memory": [empty, loaded], "share": share}
    results["files"] = len(files)
    np.savez(f"{folder}/{number}.npz", **results)


if __name__ == "__main__":
    main(*sys.argv[1:])
