"""Tensor-parallel layouts: every weight of every family is decided, from its names."""

import re

import keras
import numpy as np
import pytest
from family_cases import CASES
from tiny_models import CONFIG

from bert4keras3.models import build_transformer_model, layouts, model_parallel
from bert4keras3.models.build import unbuilt
from bert4keras3.models.layouts import weight_layouts
from bert4keras3.models.registry import FAMILIES

SIZES = {"num_attention_heads": 4, "vocab_size": 52}
BLOCK = re.compile(r"Transformer-(\d+-)?[A-Za-z]*(Attention|FeedForward|Unit|volution)")
JAX = keras.backend.backend() == "jax"


def made(family, **sizes):
    """A Transformer whose weights nobody draws: names and shapes are enough."""
    t, _, _ = unbuilt(model=family, **{**CONFIG, **CASES[family], **SIZES, **sizes})
    t.build(awaiting_weights=True)
    return t


def decided(family, count=4, **sizes):
    """(Transformer, {name of its variable: (axes, why)})."""
    t = made(family, **sizes)
    table = weight_layouts(t, count)
    patterns = {layouts._pattern(name): one for name, one in table.items()}
    assert len(patterns) == len(table)
    found = {}
    for name in t.variables():
        fitting = [
            one for pattern, one in patterns.items() if re.fullmatch(pattern, name)
        ]
        assert len(fitting) == 1, f"{name}: {fitting}"
        found[name] = fitting[0]
    return t, found


# One name per class and case: aliases of a family have nothing more to prove.
DISTINCT = {(FAMILIES[name], str(CASES[name])): name for name in sorted(CASES)}


@pytest.mark.parametrize("family", sorted(DISTINCT.values()))
def test_every_weight_is_decided(family):
    t, found = decided(family)
    for name, (axes, why) in found.items():
        shape = t.variables()[name].shape
        assert why
        assert len(axes) in (0, len(shape)), name
        assert axes.count("model") == (1 if axes else 0)
        for axis, size in zip(axes, shape, strict=False):
            assert axis is None or size % 4 == 0, name
        if BLOCK.search(name) and len(shape) > 1 and not axes:
            assert "do not divide" in why, f"{name} stays whole: {why}"
    tables = [name for name in found if name.endswith("Embedding-Token/embeddings")]
    assert [found[name][0] for name in tables] == [("model", None)] * len(tables)


def test_first_matrix_by_columns_second_by_rows():
    _, found = decided("t5.1.1", num_decoder_layers=1)
    block = "Decoder-Transformer-0-MultiHead"
    for kind in ("SelfAttention", "CrossAttention"):
        for part in "qkv":
            assert found[f"{block}{kind}/{part}/kernel"][0] == (None, "model")
        assert found[f"{block}{kind}/o/kernel"][0] == ("model", None)
    inner = "Decoder-Transformer-0-FeedForward/"
    assert found[inner + "i0/kernel"][0] == found[inner + "i1/kernel"][0]
    assert found[inner + "i0/kernel"][0] == (None, "model")
    assert found[inner + "o/kernel"][0] == ("model", None)
    assert found["Decoder-Output-LM/kernel"][0] == (None, "model")
    assert found["Encoder-Output-Norm/gamma"] == ((), "a norm")


def test_biases_follow_their_kernels():
    _, found = decided("bert")
    name = "Transformer-0-MultiHeadSelfAttention"
    assert found[name + "/q/bias"][0] == ("model",)
    assert found[name + "/o/bias"][0] == ()
    assert found["MLM-Bias/beta"][0] == ("model",)


def test_what_does_not_divide():
    _, found = decided("bert", vocab_size=51)
    table, why = found["Embedding-Token/embeddings"]
    assert table == (None, "model")
    assert "51 tokens do not divide by 4" in why
    assert found["MLM-Bias/beta"][0] == ()
    # One head of keys for all: every device computes it.
    _, found = decided("llama")
    name = "Transformer-0-MultiHeadSelfAttention/"
    assert found[name + "k/kernel"][0] == ()
    assert found[name + "q/kernel"][0] == (None, "model")


@pytest.mark.parametrize(
    "sizes", [{"num_attention_heads": 2}, {"intermediate_size": 22}]
)
def test_blocks_must_divide(sizes):
    t = made("bert", **sizes)
    with pytest.raises(ValueError, match=rf"{next(iter(sizes))}=.* among \[1, 2\]"):
        weight_layouts(t, 4)


@pytest.mark.skipif(JAX, reason="of the other backends")
def test_jax_alone():
    with pytest.raises(ValueError, match="KERAS_BACKEND=jax"):
        model_parallel(mesh=(1, 1), **CONFIG)


@pytest.mark.skipif(not JAX, reason="jax alone")
@pytest.mark.parametrize("mesh", [None, 8, (2,), (2, 0), (2, 4), ("2", 4)])
def test_meshes_that_do_not_fit(mesh):
    with pytest.raises(ValueError, match="mesh"):
        model_parallel(mesh=mesh, **CONFIG)


@pytest.mark.skipif(not JAX, reason="jax alone")
def test_one_device_is_a_mesh_too():
    distribution = model_parallel(mesh=(1, 1), with_mlm=True, prefix="A-", **CONFIG)
    find = distribution.get_tensor_layout
    assert find("A-Transformer-1-FeedForward/o/kernel").axes == ("model", None)
    assert find("bert/A-Embedding-Token/embeddings").axes == ("model", None)
    assert find("adam/A-Embedding-Token_embeddings_velocity") is None
    with distribution.scope():
        t = build_transformer_model(with_mlm=True, prefix="A-", **CONFIG)
    assert np.isfinite(keras.ops.convert_to_numpy(t.weights[0])).all()
