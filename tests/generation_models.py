"""Tiny random models that generate, and what they say without a cache."""

import functools

import numpy as np
from keras import ops
from tiny_models import build

from bert4keras3.backend import runtime
from bert4keras3.generation.decoder import Decoder
from bert4keras3.utils.padding import sequence_padding

CASES = {
    **{
        f"{family}-{application}": (family, {"application": application, **options})
        for family, options in {
            "bert": {},
            "albert": {"embedding_size": 8, "num_hidden_layers": 3},
            "electra": {"embedding_size": 8},
            "ernie": {"use_task_id": True},
            "nezha": {"max_relative_position": 3},
            "deberta_v2": {"position_buckets": 8, "segment_vocab_size": 2},
            "gau_alpha": {},
            "roformer": {},
            "roformer_v2": {},
        }.items()
        for application in ("lm", "unilm")
    },
    "bert-residual": (
        "bert",
        {"application": "lm", "residual_attention_scores": True},
    ),
    "bert-shared": (
        "bert",
        {"application": "unilm", "shared_segment_embeddings": True},
    ),
    "bert-hierarchical": (
        "bert",
        {"application": "unilm", "hierarchical_position": True, "max_position": 8},
    ),
    "roformer-custom": ("roformer", {"application": "lm", "custom_position_ids": True}),
    "gau-squared": (
        "gau_alpha",
        {"application": "lm", "normalization": "squared_relu"},
    ),
    "gpt": ("gpt", {}),
    "gpt2": ("gpt2", {}),
    "gpt2_ml": ("gpt2_ml", {}),
    "llama": ("llama", {"num_key_value_heads": 1}),
    "qwen3": ("qwen3", {"attention_head_size": 6}),
    "t5": ("t5", {"embedding_size": 8, "num_decoder_layers": 3}),
    "mt5": ("mt5", {"hidden_act": ["gelu", "linear"]}),
    "t5_pegasus": ("t5_pegasus", {"hidden_act": ["gelu", "linear"]}),
    "bart": ("bart", {"num_decoder_layers": 1, "pad_token_id": 0}),
    "mbart": ("mbart", {"scale_embedding": True}),
}


@functools.cache
def model(case):
    """The Transformer of a case."""
    family, options = CASES[case]
    return build(family, **options)


def decoder(case, **settings):
    return Decoder(model(case), **{"end_id": (), "maxlen": 6, **settings})


def prompts(t, count=3, seed=1, longest=9):
    """Ragged prompts, with segment ids where the model reads them."""
    generator, lists = np.random.default_rng(seed), []
    size = t.language_model.vocab_size
    for number in range(count):
        length = 1 + (longest - 1) * number // max(count - 1, 1)
        lists.append([int(x) for x in generator.integers(2, size, length)])
    return lists


def full_logits(d, given, answers):
    """Logits (B, len(answers[0]) + 1, V) of the answers and what follows, no cache.

    given: B lists of ids; answers: ids (B, N). The whole texts are padded on the right.
    """
    t, settings, count = d.transformer, d.settings, answers.shape[1]
    heads = [[settings.start_id]] * len(given) if d.two_sides else given
    texts = [[*one, *answer] for one, answer in zip(heads, answers, strict=True)]
    pad = d.model.pad_token_id or 0
    inputs = [sequence_padding(texts, value=pad)]
    if d.two_sides:
        inputs.insert(0, sequence_padding(given, value=pad))
    elif d.model.segment_vocab_size:
        new = 0 if settings.segment_id is None else settings.segment_id
        segments = [[0] * len(one) + [new] * count for one in given]
        inputs.append(sequence_padding(segments))
    inputs = [one.astype("int32") for one in inputs]
    if d.model.config.options.get("custom_position_ids"):
        positions = np.arange(inputs[0].shape[1], dtype="float32")
        inputs.append(np.tile(positions, (len(given), 1)))

    def whole(inputs):
        ctx = t.context(inputs)
        ctx.wanted = "logits"
        return t.forward(inputs, ctx)

    if "whole" not in d.programs:
        d.programs["whole"] = runtime.compiled(whole, t.model.variables)
    run = d.programs["whole"]
    logits = ops.convert_to_numpy(run([ops.convert_to_tensor(x) for x in inputs]))
    lengths = [len(one) for one in heads]
    return np.stack(
        [row[n - 1 : n + count] for row, n in zip(logits, lengths, strict=True)]
    )


def uncached_greedy(d, given, steps):
    """What follows is not seen: filled in from the left."""
    found = np.ones((len(given), steps), "int32")
    for i in range(steps):
        found[:, i] = full_logits(d, given, found)[:, i].argmax(-1)
    return found[:, None].tolist()
