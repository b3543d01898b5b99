"""Analytic operations of a step beside XLA's own count of the compiled program."""

from contextlib import nullcontext

import numpy as np
import pytest
from family_cases import CASES

from bert4keras3.backend import ahead, runtime
from bert4keras3.generation.decoder import Decoder
from bert4keras3.models import build_transformer_model
from bert4keras3.models.flops import decoding_flops, step_flops

on_jax = pytest.mark.skipif(runtime.BACKEND != "jax", reason="XLA counts on jax")
# Large enough for products to outweigh norms and activations.
SIZES = {
    "vocab_size": 1000, "hidden_size": 256, "num_hidden_layers": 2,
    "num_attention_heads": 2, "intermediate_size": 512, "max_position": 64,
}
BATCH, LENGTH, TARGET = 4, 48, 24
# One of every kind; the slow tests have them all.
KINDS = set(
    "bert albert electra deberta_v2 nezha gau_alpha gpt2 llama roformer_v2 bart mt5 "
    "t5 t5_decoder bart_encoder".split()
)
POOLED = {"with_pool": True, "with_mlm": False, "with_nsp": False}


def fast(families, chosen):
    """Families as parameters, those not chosen among the slow tests."""
    for one in sorted(families):
        marks = () if one in chosen else pytest.mark.slow
        yield pytest.param(one, marks=marks)


def built(family, **changes):
    options = {**SIZES, "hidden_act": "relu", **CASES[family], **changes}
    options.pop("attention_head_size", None)
    if "embedding_size" in options:
        options["embedding_size"] = 128
    if isinstance(options["hidden_act"], list):
        options["hidden_act"] = ["relu", "linear"]
    options["return_keras_model"] = False
    with ahead.unallocated() if runtime.BACKEND == "jax" else nullcontext():
        return build_transformer_model(model=family, **options)


def both_sides(t):
    return t.reads_memory or hasattr(t, "encoder")


def inputs_of(t):
    for index, one in enumerate(t.model.inputs):
        length = TARGET if both_sides(t) and index else LENGTH
        yield np.zeros((BATCH, length, *one.shape[2:]), one.dtype)


def ratio_of(t):
    """Operations of the forward pass by XLA's cost analysis, beside the analytic."""
    program = ahead.program_of(t.model, t.model.variables, list(inputs_of(t)))
    target = TARGET if both_sides(t) else None
    found = step_flops(t, BATCH, LENGTH, target, training=False)
    return program.counted() / found.total


@on_jax
@pytest.mark.parametrize("family", fast(CASES, KINDS))
def test_every_family(family):
    assert 0.99 < ratio_of(built(family)) < 1.02


@on_jax
def test_the_last_block_of_a_pooled_model_has_one_query():
    t = built("bert", **POOLED)
    assert 0.99 < ratio_of(t) < 1.02
    whole = step_flops(built("bert", with_pool=False, with_nsp=False), BATCH, LENGTH)
    assert step_flops(t, BATCH, LENGTH).total < 0.9 * whole.total


LMS = {
    "bert": {"application": "lm", "with_nsp": False},
    "nezha": {"application": "lm", "with_nsp": False},
    "deberta-v2": {"application": "lm", "with_pool": False},
    "gau_alpha": {"application": "lm"},
    "gpt2": {},
    "mt5": {},
    "llama": {},
}


@on_jax
@pytest.mark.parametrize("family", fast(LMS, {"bert", "deberta-v2", "mt5"}))
def test_prompts_and_a_new_token(family):
    """XLA counts the body of a loop once: what has been read, and one token."""
    t = built(family, **LMS[family])
    start = {"start_id": 1} if both_sides(t) else {}
    decoder = Decoder(t, end_id=2, maxlen=16, batch_size=BATCH, **start)
    program = decoder.program([[5] * LENGTH] * BATCH)
    batch = program.tensors[0]
    (rows, length), source = batch["ids"].shape, batch.get("source")
    source = None if source is None else source.shape[1]
    room = decoder.room(decoder.settings)
    found = decoding_flops(t, rows, length, length + room, source)
    assert 0.97 < program.counted() / sum(one.total for one in found) < 1.03


def test_parts_and_training():
    t = built("bert", with_nsp=False)
    one = step_flops(t, 1, LENGTH, training=False)
    assert step_flops(t, 3, LENGTH) == one * 9
    few = step_flops(t, 1, LENGTH, training=False, predicted=6)
    logits = 2 * SIZES["hidden_size"] * SIZES["vocab_size"]
    assert one.heads - few.heads == (LENGTH - 6) * logits
    longer = step_flops(t, 1, 2 * LENGTH, training=False)
    assert longer.projections == 2 * one.projections
    assert longer.attention == 4 * one.attention
    # 6 operations per weight and token, as the rule of thumb for training says.
    weights = sum(np.prod(v.shape) for v in t.model.weights if "Transformer" in v.path)
    assert 0.97 < step_flops(t, 1, LENGTH).projections / (6 * LENGTH * weights) < 1


def test_a_target_of_its_own_length():
    with pytest.raises(ValueError, match="target_length"):
        step_flops(built("mt5"), 1, LENGTH)
