"""Generation beside keras-hub, transformers and a loop without a cache.

    KERAS_BACKEND=jax python benchmarks/generation.py gpt2 --rounds 5
    KERAS_BACKEND=torch python benchmarks/generation.py gpt2 --rounds 5
    KERAS_BACKEND=jax python benchmarks/generation.py unilm --rounds 3

gpt2: random weights of GPT-2 base, 4 prompts of 32 tokens, 64 new ones, float32;
greedy, and 4 beams (transformers alone has them). unilm: BERT base, 8 ragged prompts,
32 new tokens, beside the loop of bert4keras's examples on the same model: one text at a
time, the whole text once more for every token. Both sides of a comparison take turns in
one process; printed are medians of times and of ratios. Also printed: the bytes of
weights per second that our greedy search reads, beside a plain copy of memory.
"""

import argparse
import os
import time

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np

from bert4keras3.generation import AutoRegressiveDecoder, BeamSearch, Decoder
from bert4keras3.models import build_transformer_model

PROMPT, NEW, BATCH = 32, 64, 4
GPT2 = {
    "vocab_size": 50257, "hidden_size": 768, "num_hidden_layers": 12,
    "num_attention_heads": 12, "intermediate_size": 3072, "max_position": 1024,
    "hidden_act": "gelu_tanh",
}
BERT = {**GPT2, "vocab_size": 21128, "max_position": 512}


def compare(title, ours, others, rounds):
    """Run all in turn; print median times and ratios other / ours."""
    times = {name: [] for name in ("ours", *others)}
    for _ in range(rounds):
        for name, run in {"ours": ours, **others}.items():
            start = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - start)
    mine = np.array(times["ours"])
    print(f"{title}: ours {np.median(mine):.3f} s", flush=True)
    for name in others:
        ratio = np.array(times[name]) / mine
        print(
            f"  {name}: {np.median(times[name]):.3f} s, ratio {np.median(ratio):.2f} "
            f"({ratio.min():.2f}-{ratio.max():.2f})",
            flush=True,
        )
    return float(np.median(mine))


def keras_hub_runner(ids):
    """A function that continues the prompts with keras-hub, or None without it."""
    try:
        import keras_hub
    except ImportError:
        return None
    sizes = {
        "vocabulary_size": 50257, "num_layers": 12, "num_heads": 12, "hidden_dim": 768,
        "intermediate_dim": 3072, "max_sequence_length": 1024, "dropout": 0.0,
    }
    backbone = keras_hub.models.GPT2Backbone(**sizes)
    model = keras_hub.models.GPT2CausalLM(backbone=backbone, preprocessor=None)
    model.compile(sampler="greedy")
    padded = np.pad(ids, [[0, 0], [0, NEW]]).astype("int32")
    mask = np.pad(np.ones_like(ids), [[0, 0], [0, NEW]]).astype("int32")
    inputs = {"token_ids": padded, "padding_mask": mask}
    return lambda: model.generate(inputs, stop_token_ids=None)


def transformers_runner(ids, **options):
    """The same with transformers, on torch whatever the backend is."""
    try:
        import torch
        import transformers
    except ImportError:
        return None
    torch.manual_seed(0)
    model = transformers.GPT2LMHeadModel(transformers.GPT2Config()).eval()
    ids = torch.tensor(ids, dtype=torch.long)
    options = {
        "max_new_tokens": NEW, "min_new_tokens": NEW, "do_sample": False,
        "pad_token_id": 0, "attention_mask": torch.ones_like(ids), **options,
    }

    def run():
        with torch.no_grad():
            return model.generate(ids, **options)

    return run


def copy_speed():
    """Bytes per second of reading 500 MB (a sum over float32), the best of five."""
    data = np.ones(125_000_000, "float32")
    times = []
    for _ in range(5):
        start = time.perf_counter()
        data.sum()
        times.append(time.perf_counter() - start)
    return data.nbytes / min(times)


def gpt2(rounds):
    keras.utils.set_random_seed(0)
    t = build_transformer_model(model="gpt2", return_keras_model=False, **GPT2)
    ids = np.random.default_rng(0).integers(1, 50257, (BATCH, PROMPT))
    decoder = Decoder(t, end_id=(), maxlen=NEW)
    prompts = ids.tolist()
    runners = {
        "keras-hub": keras_hub_runner(ids), "transformers": transformers_runner(ids),
    }
    others = {name: run for name, run in runners.items() if run is not None}
    for run in (lambda: decoder.generate(prompts), *others.values()):
        run()  # compiles
    seconds = compare("greedy", lambda: decoder.generate(prompts), others, rounds)
    size = sum(int(np.prod(one.shape)) for one in t.model.weights) * 4
    speed = size * NEW / seconds
    print(
        f"  {BATCH * NEW / seconds:.1f} tokens/s; {speed / 1e9:.1f} GB/s of weights, "
        f"numpy reads {copy_speed() / 1e9:.1f} GB/s with one core"
    )
    beams = BeamSearch(4, length_penalty=1.0)
    theirs = transformers_runner(ids, num_beams=4)
    if theirs is not None:
        for run in (lambda: decoder.generate(prompts, beams), theirs):
            run()
        ours = lambda: decoder.generate(prompts, beams)  # noqa: E731
        compare("4 beams", ours, {"transformers": theirs}, rounds)


def unilm(rounds):
    keras.utils.set_random_seed(0)
    t = build_transformer_model(
        model="bert", application="unilm", return_keras_model=False, **BERT
    )
    generator = np.random.default_rng(0)
    lengths = generator.integers(24, 97, 8)
    prompts = [generator.integers(1, 21128, n).tolist() for n in lengths]
    decoder = Decoder(t, end_id=(), maxlen=32)
    model = t.model

    class Loop(AutoRegressiveDecoder):
        @AutoRegressiveDecoder.wraps("probas")
        def predict(self, inputs, output_ids, states):
            ids, segments = inputs
            ids = np.concatenate([ids, output_ids], 1)
            segments = np.concatenate([segments, np.ones_like(output_ids)], 1)
            return self.last_token(model).predict([ids, segments], verbose=0)

    loop = Loop(start_id=None, end_id=-1, maxlen=32)

    def slow():
        for one in prompts:
            loop.beam_search([np.array(one), np.zeros(len(one), int)], topk=1)

    for run in (lambda: decoder.generate(prompts), slow):
        run()  # compiles
    compare(
        "unilm, 8 prompts, 32 tokens", lambda: decoder.generate(prompts),
        {"loop without cache": slow}, rounds,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["gpt2", "unilm"])
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    {"gpt2": gpt2, "unilm": unilm}[arguments.what](arguments.rounds)


if __name__ == "__main__":
    main()
