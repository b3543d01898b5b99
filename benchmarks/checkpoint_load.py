"""A BERT-base checkpoint (400 MB) into a model, beside TensorFlow and a plain copy.

    KERAS_BACKEND=jax python benchmarks/checkpoint_load.py --rounds 5

Every measurement is the first load of a fresh process, into a model just built, with
the file in the page cache: what a script does. Prints medians and ratios taken round
by round, the time to build the functional model, and the peak memory of build and load
relative to the model's size.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import numpy as np

CONFIG = {
    "vocab_size": 21128,
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "type_vocab_size": 2,
}


def built(**kwargs):
    """An unloaded BERT-base with all heads of a published checkpoint."""
    from bert4keras3.models import build_transformer_model

    return build_transformer_model(
        CONFIG, with_pool=True, with_mlm=True, return_keras_model=False, **kwargs
    )


def unloaded():
    """The same, as it is while it waits for a checkpoint."""
    from bert4keras3.models.families.bert import BERT

    t = BERT(CONFIG, with_pool=True, with_mlm=True)
    t.build(awaiting_weights=True)
    return t


def timed(function):
    start = time.perf_counter()
    kept = function()
    seconds = time.perf_counter() - start
    del kept
    return seconds


def settled(t):
    """Wait for copies that jax does in the background."""
    for variable in t.variables().values():
        getattr(variable.value, "block_until_ready", lambda: None)()


def ours(path):
    """Our loader on any format."""
    t = unloaded()
    return lambda: (t.load(path), settled(t))


def tensorflow(prefix):
    """What a user would write with TensorFlow: read each tensor, assign it."""
    import tensorflow as tf

    t = unloaded()
    # TensorFlow loads much of itself on first use, which is not part of a load.
    tf.train.load_checkpoint(prefix).get_tensor("bert/pooler/dense/bias")

    def load():
        reader = tf.train.load_checkpoint(prefix)
        variables = t.variables()
        for row in t.rows():
            array = row.read(reader.get_tensor(row.tf), "tf")
            variables[row.ours].assign(array)
        settled(t)

    return load


def numpy_copy(path):
    """Every array of the file into fresh memory, all kept, as a loaded model does."""
    from bert4keras3.checkpoints.formats import open_checkpoint

    unloaded()
    source = open_checkpoint(path)
    arrays = [source[name].read() for name in source]
    for array in arrays:
        array.max()  # the mapped pages are there
    return lambda: [np.array(array, copy=True) for array in arrays]


CONTESTANTS = {
    "ours, TF checkpoint": (ours, "tf"),
    "TensorFlow, same": (tensorflow, "tf"),
    "ours, safetensors": (ours, "hf"),
    "numpy copy, same bytes": (numpy_copy, "hf"),
}


def in_child(*arguments):
    """Run this file with --child in a fresh process; returns what it prints."""
    done = subprocess.run(
        [sys.executable, __file__, "--child", *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.strip().splitlines()[-1])


def status(field):
    """A field of /proc/self/status in MiB."""
    with open("/proc/self/status") as file:
        line = next(line for line in file if line.startswith(field))
    return int(line.split()[1]) / 1024


class AnonymousPeak(threading.Thread):
    """Highest anonymous memory, sampled; mapped file pages are the kernel's cache."""

    def __init__(self):
        super().__init__(daemon=True)
        self.peak, self.running = 0.0, True

    def run(self):
        while self.running:
            self.peak = max(self.peak, status("RssAnon"))
            time.sleep(0.002)


def peak(path):
    """Peak memory of build and load beyond what the backend itself takes, in MiB."""
    import keras

    keras.ops.zeros((2, 2)) + 1  # the backend is up: what remains is ours
    before, before_all = status("RssAnon"), status("VmHWM")
    sampler = AnonymousPeak()
    sampler.start()
    start = time.perf_counter()
    t = built(checkpoint_path=path)
    seconds = time.perf_counter() - start
    sampler.running = False
    return {
        "seconds": seconds,
        "anonymous": sampler.peak - before,
        "all": status("VmHWM") - before_all,
        "model": sum(int(np.prod(v.shape)) for v in t.variables().values()) / 2**18,
    }


def child(what, path):
    """One measurement, printed as JSON."""
    print(
        json.dumps(peak(path) if what == "peak" else timed(CONTESTANTS[what][0](path)))
    )


def report(times):
    """Print medians, and the two ratios that matter."""
    for name, seconds in times.items():
        print(f"{name:24} median {statistics.median(seconds):.3f} s")
    names = list(times)
    for a, b in (names[:2], names[2:]):
        ratios = [x / y for x, y in zip(times[a], times[b], strict=True)]
        spread = f"{min(ratios):.2f}-{max(ratios):.2f}"
        print(f"{a} / {b}: {statistics.median(ratios):.2f} ({spread})")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--child", nargs=2)
    args = parser.parse_args()
    if args.child:
        child(*args.child)
        return
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        t = built()
        print(f"build with random weights: {time.perf_counter() - start:.2f} s")
        t.save(os.path.join(folder, "tf"), format="tf")
        t.save(os.path.join(folder, "hf"), format="hf")
        paths = {
            "tf": os.path.join(folder, "tf", "bert_model.ckpt"),
            "hf": os.path.join(folder, "hf", "model.safetensors"),
        }
        del t
        times = {name: [] for name in CONTESTANTS}
        for _ in range(args.rounds):
            for name, (_, kind) in CONTESTANTS.items():
                times[name].append(in_child(name, paths[kind]))
        report(times)
        memory = in_child("peak", paths["tf"])
        print(f"build and load a TF checkpoint: {memory['seconds']:.2f} s")
        for kind in ("anonymous", "all"):
            print(
                f"peak memory of build and load ({kind}): {memory[kind]:.0f} MB, "
                f"{memory[kind] / memory['model']:.2f} x the model's"
            )


if __name__ == "__main__":
    main()
