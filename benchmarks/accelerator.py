"""BERT-base pretraining and GPT-2 generation on an accelerator, beside transformers.

    pip install transformers                 # beside torch and jax for your device
    python benchmarks/accelerator.py train --peak 989e12         # an H100's or H200's
    python benchmarks/accelerator.py generate
    python benchmarks/accelerator.py train --tiny --steps 2      # does it run, anywhere

train: masked language modelling, 15% of the tokens hidden, dropout 0.1, AdamW, bfloat16
products and float32 weights; every batch size and length. transformers has SDPA
attention, fused AdamW, autocast and `torch.compile`. generate: greedy, prompts of 128
tokens, 128 new ones, bfloat16 weights; transformers also with its static cache, which
it compiles. Every case is a process of its own, so that its peak memory is its own, and
one that does not fit is told as such. Printed: medians after the first, compiling ones.
MFU: `step_flops` with the logits of hidden tokens alone, the same for all sides, by the
peak.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

SIDES = ("jax", "tensorflow", "torch", "transformers")
BERT = {
    "vocab_size": 21128, "hidden_size": 768, "num_hidden_layers": 12,
    "num_attention_heads": 12, "intermediate_size": 3072, "hidden_act": "gelu",
}
GPT2 = {
    "vocab_size": 50257, "hidden_size": 768, "num_hidden_layers": 12,
    "num_attention_heads": 12, "intermediate_size": 3072, "hidden_act": "gelu_tanh",
}
TINY = {
    "vocab_size": 512, "hidden_size": 64, "num_hidden_layers": 2,
    "num_attention_heads": 2, "intermediate_size": 128,
}
PROMPT, NEW, ROUNDS, HIDDEN = 128, 128, 5, 0.15


def batch_of(rows, length, vocabulary):
    """(ids, segments, labels, weights) of random tokens."""
    import numpy as np

    generator = np.random.default_rng(0)
    labels = generator.integers(1, vocabulary, (rows, length)).astype("int32")
    weights = (generator.random(labels.shape) < HIDDEN).astype("float32")
    ids = np.where(weights > 0, 103 % vocabulary, labels).astype("int32")
    return ids, np.zeros_like(ids), labels, weights


def our_bert(case, sizes):
    """(seconds of steps, FLOPs of one) of `fit`, as a user trains."""
    import keras

    from bert4keras3.models import build_transformer_model, masked_training_model
    from bert4keras3.models.flops import step_flops
    from bert4keras3.optimizers import AdamW

    keras.config.set_dtype_policy("mixed_bfloat16")
    t = build_transformer_model(
        **sizes, model="bert", max_position=512, with_mlm=True, dropout_rate=0.1,
        attention_dropout_rate=0.1, return_keras_model=False,
    )
    model = masked_training_model(t, chunk=case["chunk"])
    model.compile(AdamW(1e-4, weight_decay=0.01))
    rows, length = case["rows"], case["length"]
    inputs, times = batch_of(rows, length, sizes["vocab_size"]), []
    epochs = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: times.append(time.perf_counter())
    )

    def batches():
        while True:
            yield (inputs,)

    model.fit(
        batches(), steps_per_epoch=case["steps"], epochs=ROUNDS + 2,
        callbacks=[epochs], verbose=0,
    )
    pairs = zip(times[1:], times[2:], strict=False)
    seconds = [(after - before) / case["steps"] for before, after in pairs]
    return seconds, step_flops(t, rows, length, predicted=HIDDEN * length).total


def their_bert(case, sizes):
    """The same of transformers with a plain loop; no FLOPs."""
    import torch
    from transformers import BertConfig, BertForMaskedLM

    device = "cuda" if torch.cuda.is_available() else "cpu"
    config = BertConfig(**sizes, max_position_embeddings=512)
    model = BertForMaskedLM._from_config(config, attn_implementation="sdpa")
    model = model.to(device).train()
    weights = model.parameters()
    optimizer = torch.optim.AdamW(weights, 1e-4, weight_decay=0.01, fused=True)
    compiled = torch.compile(model)
    given = batch_of(case["rows"], case["length"], sizes["vocab_size"])
    ids, segments, labels, hidden = map(torch.from_numpy, given)
    labels = torch.where(hidden > 0, labels, -100).long()

    def step():
        x, y, z = (one.to(device, non_blocking=True) for one in (ids, segments, labels))
        with torch.autocast(device, torch.bfloat16):
            loss = compiled(x, token_type_ids=y, labels=z).loss
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return loss

    def steps():
        for _ in range(case["steps"]):
            loss = step()
        return loss.item()  # waits for the device

    return [seconds / case["steps"] for seconds in timed(steps)], None


def our_gpt2(case, sizes):
    """Seconds of a whole generation."""
    import keras

    from bert4keras3.generation.decoder import Decoder
    from bert4keras3.models import build_transformer_model

    keras.config.set_dtype_policy("bfloat16")
    t = build_transformer_model(
        **sizes, model="gpt2", max_position=1024, return_keras_model=False
    )
    decoder = Decoder(t, end_id=(), maxlen=NEW, batch_size=case["rows"])
    prompts = batch_of(case["rows"], PROMPT, sizes["vocab_size"])[2].tolist()
    return timed(lambda: decoder.generate(prompts)), None


def their_gpt2(case, sizes):
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    device = "cuda" if torch.cuda.is_available() else "cpu"
    config = GPT2Config(
        vocab_size=sizes["vocab_size"], n_embd=sizes["hidden_size"],
        n_layer=sizes["num_hidden_layers"], n_head=sizes["num_attention_heads"],
    )
    model = GPT2LMHeadModel._from_config(config, attn_implementation="sdpa")
    model = model.to(device, torch.bfloat16).eval()
    prompts = batch_of(case["rows"], PROMPT, sizes["vocab_size"])[2]
    ids = torch.from_numpy(prompts).long().to(device)
    how = {
        "max_new_tokens": NEW, "min_new_tokens": NEW, "do_sample": False,
        "pad_token_id": 0, "attention_mask": torch.ones_like(ids),
    }
    if case["side"] == "transformers, static cache":
        how["cache_implementation"] = "static"

    @torch.no_grad()
    def run():
        return model.generate(ids, **how).cpu()

    return timed(run), None


def timed(run):
    """Seconds of every round after the first two."""
    times = []
    for _ in range(ROUNDS + 2):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return times[2:]


def peak_memory(side):
    """Most bytes of the device in use so far, or None where it does not tell."""
    if side == "jax":
        import jax

        found = jax.local_devices()[0].memory_stats() or {}
        return found.get("peak_bytes_in_use")
    if side == "tensorflow":
        import tensorflow as tf

        gpus = tf.config.list_logical_devices("GPU")
        return tf.config.experimental.get_memory_info("GPU:0")["peak"] if gpus else None
    import torch

    return torch.cuda.max_memory_allocated() if torch.cuda.is_available() else None


def worker(case):
    """Measure one case and print it as JSON."""
    sizes = {**(BERT if case["what"] == "train" else GPT2), **case["sizes"]}
    theirs = case["side"].startswith("transformers")
    if case["what"] == "train":
        measured = (their_bert if theirs else our_bert)(case, sizes)
    else:
        measured = (their_gpt2 if theirs else our_gpt2)(case, sizes)
    seconds, flops = sorted(measured[0]), measured[1]
    memory = peak_memory(case["side"])
    print(json.dumps([seconds[len(seconds) // 2], flops, memory]))


def measured(case):
    """[seconds, FLOPs, bytes] of a case in a process of its own, or why not."""
    backend = case["side"] if case["side"] in SIDES[:3] else "torch"
    root = str(Path(__file__).resolve().parents[1])
    environment = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": root}
    command = [sys.executable, __file__, "worker", json.dumps(case)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True)
    if run.returncode == 0:
        return json.loads(run.stdout.splitlines()[-1])
    said = run.stderr.strip().splitlines() or [f"status {run.returncode}"]
    full = any("memory" in line.lower() and "out" in line.lower() for line in said)
    return "does not fit" if full else said[-1][:120]


def row_of(case, found, flops, peak):
    """A line of the table; flops: of a step of ours."""
    head = [case["side"], case["rows"], case["length"]]
    if isinstance(found, str):
        return [*head, found, "", "", ""]
    seconds, _, memory = found
    tokens = case["rows"] * (case["length"] if case["what"] == "train" else NEW)
    mfu = f"{flops / seconds / peak:.1%}" if flops and peak else ""
    held = f"{memory / 2**30:.2f}" if memory else ""
    return [*head, f"{seconds * 1e3:.1f}", f"{tokens / seconds:,.0f}", mfu, held]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["train", "generate"])
    parser.add_argument("--sides", nargs="*", default=["jax", "transformers"])
    batches = [16, 32, 64, 128, 256]
    parser.add_argument("--batches", nargs="*", type=int, default=batches)
    parser.add_argument("--lengths", nargs="*", type=int, default=[128, 512])
    parser.add_argument("--steps", type=int, default=20, help="of a round (train)")
    parser.add_argument("--chunk", type=int, default=4096, help="tokens of our logits")
    parser.add_argument("--peak", type=float, help="FLOPs a second, bfloat16, dense")
    parser.add_argument("--tiny", action="store_true", help="two small layers")
    args = parser.parse_args()
    columns = ["side", "batch", "length", "ms", "tokens/s", "MFU", "peak GiB"]
    for one in (columns, ["---"] * len(columns)):
        print("|", " | ".join(one), "|", flush=True)
    sides = sorted(args.sides, key=lambda side: side == "transformers")  # FLOPs first
    if args.what == "generate" and "transformers" in sides:
        sides.append("transformers, static cache")
    for length in args.lengths if args.what == "train" else [PROMPT]:
        for rows in args.batches:
            flops = None
            for side in sides:
                case = {
                    "what": args.what, "side": side, "rows": rows, "length": length,
                    "steps": args.steps, "chunk": args.chunk,
                    "sizes": TINY if args.tiny else {},
                }
                found = measured(case)
                if isinstance(found, list):
                    flops = found[1] or flops
                line = row_of(case, found, flops, args.peak)
                print("|", " | ".join(map(str, line)), "|", flush=True)


if __name__ == "__main__":
    worker(json.loads(sys.argv[2])) if sys.argv[1:2] == ["worker"] else main()
