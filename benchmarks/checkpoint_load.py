"""A BERT-base checkpoint (400 MB) into a model, beside TensorFlow and a plain copy.

    KERAS_BACKEND=jax python benchmarks/checkpoint_load.py --rounds 5

Prints medians and ratios, the time to build the functional model, and the peak
memory while loading relative to the model's size.
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


def timed(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def tensorflow_load(t, prefix):
    """What a user would write with TensorFlow: read each tensor, assign it."""
    import tensorflow as tf

    reader = tf.train.load_checkpoint(prefix)
    variables = t.variables()
    for row in t.rows():
        variables[row.ours].assign(row.convert(reader.get_tensor(row.tf), "tf"))


def settled(t):
    """Wait for copies that jax does in the background."""
    for variable in t.variables().values():
        getattr(variable.value, "block_until_ready", lambda: None)()


def copy_all(arrays):
    """Every array into fresh memory, all kept, as a loaded model keeps them."""
    return [np.array(array, copy=True) for array in arrays]


def peak_child(path):
    """Peak memory of a fresh process before and after it builds and loads."""
    done = subprocess.run(
        [sys.executable, __file__, "--child", path],
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


def child(path):
    """Build and load, and print peak memory beyond what the backend itself takes."""
    import keras

    keras.ops.zeros((2, 2)) + 1  # the backend is up: what remains is ours
    before, before_all = status("RssAnon"), status("VmHWM")
    sampler = AnonymousPeak()
    sampler.start()
    t = built(checkpoint_path=path)
    sampler.running = False
    size = sum(int(np.prod(v.shape)) * 4 for v in t.variables().values()) / 2**20
    everything = status("VmHWM") - before_all
    print(
        json.dumps(
            {"anonymous": sampler.peak - before, "all": everything, "model": size}
        )
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--child")
    args = parser.parse_args()
    if args.child:
        child(args.child)
        return
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        t = built()
        print(f"build with random weights: {time.perf_counter() - start:.2f} s")
        t.save(os.path.join(folder, "tf"), format="tf")
        t.save(os.path.join(folder, "hf"), format="hf")
        prefix = os.path.join(folder, "tf", "bert_model.ckpt")
        safetensors = os.path.join(folder, "hf", "model.safetensors")
        start = time.perf_counter()
        built(checkpoint_path=prefix)
        print(f"build and load a checkpoint: {time.perf_counter() - start:.2f} s")
        arrays = [np.array(v.value) for v in t.variables().values()]
        contestants = {
            "ours, TF checkpoint": lambda: (t.load(prefix), settled(t)),
            "TensorFlow, same": lambda: (tensorflow_load(t, prefix), settled(t)),
            "ours, safetensors": lambda: (t.load(safetensors), settled(t)),
            "numpy copy, same bytes": lambda: copy_all(arrays),
        }
        times = {name: [] for name in contestants}
        for function in contestants.values():
            function()
        for _ in range(args.rounds):
            for name, function in contestants.items():
                times[name].append(timed(function))
        for name, seconds in times.items():
            print(f"{name:24} median {statistics.median(seconds):.3f} s")
        for a, b in (list(contestants)[:2], list(contestants)[2:]):
            pairs = zip(times[a], times[b], strict=True)
            ratio = statistics.median(x / y for x, y in pairs)
            print(f"{a} / {b}: {ratio:.2f}")
        memory = peak_child(prefix)
        for kind in ("anonymous", "all"):
            print(
                f"peak memory of build and load ({kind}): {memory[kind]:.0f} MB, "
                f"{memory[kind] / memory['model']:.2f} x the model's"
            )


if __name__ == "__main__":
    main()
