"""Shared key heads, normed queries and half-split rotation of MultiHeadAttention."""

import numpy as np
import pytest
from keras import ops

from bert4keras3.backend.tensors import (
    rotate,
    sinusoidal_embeddings,
    sinusoidal_frequencies,
)
from bert4keras3.layers import MultiHeadAttention

HEADS, SIZE, LENGTH = 4, 6, 7


def made(kv_heads, **arguments):
    """A layer with random weights, and an input (2, LENGTH, 10)."""
    layer = MultiHeadAttention(HEADS, SIZE, kv_heads=kv_heads, **arguments)
    generator = np.random.default_rng(kv_heads)
    x = ops.array(generator.normal(size=(2, LENGTH, 10)).astype("float32"))
    layer(x)
    for weight in layer.weights:
        if "seed_generator" not in weight.path:
            weight.assign(generator.normal(0, 0.5, weight.shape))
    return layer, x


def causal():
    return ops.array(np.tril(np.ones((1, 1, LENGTH, LENGTH), bool)))


@pytest.mark.parametrize("scores", [False, True])
@pytest.mark.parametrize("kv_heads", [1, 2])
def test_equals_repeated_heads(kv_heads, scores):
    """Both ways of attending: the backend's kernel and the explicit products."""
    shared, x = made(kv_heads, return_attention_scores=scores)
    full, _ = made(HEADS, return_attention_scores=scores)
    assert shared.count_params() < full.count_params()
    for ours, theirs in zip(full.weights, shared.weights, strict=True):
        array = ops.convert_to_numpy(theirs)
        if array.shape != tuple(ours.shape):
            array = array.reshape(*array.shape[:-1], kv_heads, SIZE)
            array = np.repeat(array, HEADS // kv_heads, axis=-2)
        ours.assign(array.reshape(ours.shape))
    found, expected = (one(x, visible=causal()) for one in (shared, full))
    pairs = zip(found, expected, strict=True) if scores else [(found, expected)]
    for one, other in pairs:
        one, other = ops.convert_to_numpy(one), ops.convert_to_numpy(other)
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_keys_kept_from_step_to_step_give_the_same():
    """What a decoding cache does: project, turn, keep; then attend with one query."""
    layer, x = made(2, qk_norm=1e-6, rotary_halves=True)
    table = sinusoidal_embeddings(ops.expand_dims(ops.arange(LENGTH), 0), SIZE)
    expected = ops.convert_to_numpy(layer(x, visible=causal(), rotary=table))
    keys, values = [], []
    for t in range(LENGTH):
        step, angles = x[:, t : t + 1], table[:, t : t + 1]
        keys.append(layer.rotated(layer.project_keys(step), angles))
        values.append(layer.project_values(step))
        assert tuple(keys[-1].shape) == (2, 1, 2, SIZE)
        q = layer.rotated(layer.project_queries(step), angles)
        k, v = (ops.concatenate(one, axis=1) for one in (keys, values))
        context, _ = layer.attend(q, k, v, {"visible": None})
        found = layer.o_dense(ops.reshape(context, (2, 1, HEADS * SIZE)))
        found = ops.convert_to_numpy(found)
        np.testing.assert_allclose(found[:, 0], expected[:, t], atol=1e-5)


def test_queries_and_keys_are_normed_per_head():
    layer, x = made(2, qk_norm=1e-6)
    for name, projected in (
        ("q", layer.project_queries(x)), ("k", layer.project_keys(x))
    ):
        gamma = ops.convert_to_numpy(getattr(layer, name + "_norm").gamma)
        plain = ops.convert_to_numpy(projected) / gamma
        np.testing.assert_allclose((plain**2).mean(-1), 1.0, atol=1e-4)


def test_halves_are_turned_as_complex_numbers():
    x = np.random.default_rng(0).normal(size=(1, 5, 3, 8)).astype("float32")
    table = sinusoidal_embeddings(ops.array([[0, 1, 2, 30, 31]]), 8)
    found = ops.convert_to_numpy(rotate(ops.array(x), table, halves=True))
    angles = np.array([0, 1, 2, 30, 31])[:, None] * sinusoidal_frequencies(8)
    turned = (x[..., :4] + 1j * x[..., 4:]) * np.exp(1j * angles)[None, :, None]
    expected = np.concatenate([turned.real, turned.imag], axis=-1)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_heads_must_divide():
    with pytest.raises(ValueError, match="kv_heads must divide heads=4"):
        MultiHeadAttention(4, 8, kv_heads=3)
