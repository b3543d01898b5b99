"""CRF training step and Viterbi decoding, beside pytorch-crf and per-sequence Python.

    python benchmarks/crf.py --repeats 15

Both sides of a comparison take turns in one process; printed are medians of times and
of the ratios of neighbouring runs. The training step is the loss with its gradients
for the emissions and the transitions: ours compiled by jax, pytorch-crf
(`pip install pytorch-crf`) in torch. Decoding is compared with a loop over sequences
and steps that keeps the whole best path to every label, as bert4keras decodes.
"""

import argparse
import os
import time

os.environ.setdefault("KERAS_BACKEND", "jax")

import jax
import keras
import numpy as np

from bert4keras3.layers import ConditionalRandomField
from bert4keras3.snippets import ViterbiDecoder

STEPS = [(32, 128, 20), (32, 256, 7)]
DECODING = (512, 128, 20)


def random_chains(batch, steps, labels, seed=0):
    """Emissions, transitions, labels, mask (half to all steps are real)."""
    rng = np.random.default_rng(seed)
    emissions = rng.normal(0, 2, (batch, steps, labels)).astype("float32")
    trans = rng.normal(0, 1, (labels, labels)).astype("float32")
    lengths = rng.integers(steps // 2, steps + 1, batch)
    lengths[0] = steps
    ids = rng.integers(0, labels, (batch, steps))
    return emissions, trans, ids, np.arange(steps) < lengths[:, None]


def layer_of(trans):
    crf = ConditionalRandomField()
    crf.build((None, None, len(trans)))
    crf.weights[0].assign(trans)
    return crf


def our_step(emissions, trans, ids, mask):
    """A function that runs one step and returns loss and gradients."""
    crf = layer_of(trans)
    masked = np.where(mask[..., None], emissions, -np.inf)
    x, y = jax.device_put(masked), jax.device_put(ids.astype("int32"))

    def loss(x, trans, y):
        with keras.StatelessScope(state_mapping=[(crf.weights[0], trans)]):
            return crf.sparse_loss(y, x).mean()

    step = jax.jit(jax.value_and_grad(loss, (0, 1)))
    weight = jax.device_put(trans)
    return lambda: jax.block_until_ready(step(x, weight, y))


def their_step(package, emissions, trans, ids, mask):
    import torch

    crf = package.CRF(len(trans), batch_first=True)
    with torch.no_grad():
        crf.transitions.copy_(torch.tensor(trans))
        crf.start_transitions.zero_()
        crf.end_transitions.zero_()
    x = torch.tensor(emissions, requires_grad=True)
    y, mask = torch.tensor(ids), torch.tensor(mask)

    def step():
        x.grad = crf.transitions.grad = None
        loss = -crf(x, y, mask, reduction="mean")
        loss.backward()
        return loss.detach(), (x.grad, crf.transitions.grad)

    return step


def python_decoder(trans):
    """Decode one sequence; the best path to every label grows at every step."""
    labels = np.arange(len(trans))[None]

    def decode(nodes):
        best, paths = nodes[0], labels
        for node in nodes[1:]:
            scores = best[:, None] + trans + node[None]
            paths = np.concatenate([paths[:, scores.argmax(0)], labels], axis=0)
            best = scores.max(0)
        return paths[:, best.argmax()]

    return decode


def compare(title, ours, theirs, repeats):
    """Time both in turns; print medians, the median ratio and that of the best."""
    times = []
    for _ in range(repeats):
        pair = []
        for run in (ours, theirs):
            start = time.perf_counter()
            run()
            pair.append(time.perf_counter() - start)
        times.append(pair)
    times = np.array(times)
    mine, other = np.median(times, axis=0) * 1e3
    ratio = np.median(times[:, 1] / times[:, 0])
    best = times[:, 1].min() / times[:, 0].min()
    print(f"{title:<46}{mine:9.2f} ms{other:9.2f} ms{ratio:7.1f} x{best:7.1f} x")


def training(repeats):
    try:
        import torchcrf
    except ImportError:
        print("training step: left out, needs `pip install torch pytorch-crf`")
        return
    for sizes in STEPS:
        data = random_chains(*sizes)
        ours, theirs = our_step(*data), their_step(torchcrf, *data)
        (loss, grads), (known, others) = ours(), theirs()
        np.testing.assert_allclose(loss, known, rtol=1e-5)
        for grad, other in zip(grads, others, strict=True):
            np.testing.assert_allclose(grad, other, atol=1e-4)
        compare(f"step {sizes}: jax, pytorch-crf", ours, theirs, repeats)


def decoding(repeats):
    emissions, trans, _, _ = random_chains(*DECODING)
    crf, decoder, slow = layer_of(trans), ViterbiDecoder(trans), python_decoder(trans)
    x, compiled = jax.device_put(emissions), jax.jit(crf.decode)

    def python():
        return np.array([slow(nodes) for nodes in emissions])

    runs = {
        "compiled": lambda: jax.block_until_ready(compiled(x)),
        "decode_batch": lambda: decoder.decode_batch(emissions),
    }
    known = python()
    for name, run in runs.items():
        np.testing.assert_array_equal(run(), known)
        compare(f"decode {DECODING}: {name}, Python", run, python, repeats)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=15)
    arguments = parser.parse_args()
    print(f"{'':<46}{'ours':>12}{'other':>12}{'ratio':>9}{'best':>9}")
    training(arguments.repeats)
    decoding(arguments.repeats)


if __name__ == "__main__":
    main()
