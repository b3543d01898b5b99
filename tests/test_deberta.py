"""Disentangled attention by its definition, and what a DeBERTa refuses."""

import keras
import numpy as np
import pytest
from keras import ops
from tiny_models import batch, build

from bert4keras3.layers import DisentangledAttention, DistanceEmbedding
from bert4keras3.layers.disentangled import diagonals

BUCKETS = {"position_buckets": 8}


@pytest.mark.parametrize("rows, columns", [(4, 4), (1, 5), (5, 2)])
def test_diagonals_line_up_distances(rows, columns):
    x = np.random.normal(size=(2, 3, rows, rows + columns - 1)).astype("float32")
    found = ops.convert_to_numpy(diagonals(ops.convert_to_tensor(x), rows, columns))
    assert found.shape == (2, 3, rows, columns)
    for i in range(rows):
        for j in range(columns):
            np.testing.assert_array_equal(found[..., i, j], x[..., i, rows - 1 - i + j])


@pytest.mark.parametrize("queries, keys", [(5, 5), (1, 5)])
def test_scores_by_the_definition(queries, keys):
    """Content to content, content to position, position to content, one by one."""
    layer = DisentangledAttention(2, 3)
    layer.build((None, None, 6))
    for weight in layer.weights:
        weight.assign(np.random.normal(size=weight.shape).astype("float32"))
    q, k = (np.random.normal(size=(2, n, 2, 3)) for n in (queries, keys))
    distances = np.random.normal(size=(queries + keys - 1, 6))
    q, k, distances = (x.astype("float32") for x in (q, k, distances))
    tensors = [ops.convert_to_tensor(x) for x in (q, k, distances)]
    found = ops.convert_to_numpy(layer.position_scores(*tensors))

    def projected(dense):
        kernel, bias = (ops.convert_to_numpy(weight) for weight in dense.weights)
        return (distances @ kernel + bias).reshape(-1, 2, 3)

    as_query, as_key = projected(layer.q_dense), projected(layer.k_dense)
    for i in range(queries):
        for j in range(keys):
            row = queries - 1 - (i - j)
            expected = (q[:, i] * as_key[row] + k[:, j] * as_query[row]).sum(-1)
            np.testing.assert_allclose(found[:, :, i, j], expected, atol=1e-5)
    assert layer.scale == pytest.approx(1 / 9**0.5)


def test_forward_equals_the_model():
    t = build("deberta_v2", conv_kernel_size=3, position_biased_input=True, **BUCKETS)
    ids, _ = batch()
    found, expected = (ops.convert_to_numpy(f(ids)) for f in (t.forward, t.model))
    np.testing.assert_allclose(found, expected, atol=2e-6)


def test_convolution_does_not_see_padding():
    t = build("deberta_v2", conv_kernel_size=5, **BUCKETS)
    ids, _ = batch(rows=1)
    longer = np.pad(ids, [(0, 0), (0, 4)])
    short, long = (ops.convert_to_numpy(t.model(one)) for one in (ids, longer))
    np.testing.assert_allclose(long[:, :8], short, atol=2e-5)


def test_refusals():
    for arguments, message in (
        ({"with_nsp": True, **BUCKETS}, "no next-sentence head"),
        ({"custom_position_ids": True, **BUCKETS}, "distances between tokens"),
    ):
        with pytest.raises(ValueError, match=message):
            build("deberta_v2", **arguments)
    with pytest.raises(ValueError, match="cannot be a language model"):
        build("deberta_v2", "lm", conv_kernel_size=3, **BUCKETS)


@pytest.mark.parametrize("key, value, expected", [
    ("relative_attention", False, "only True"), ("position_buckets", 7, "even"),
    ("position_buckets", 256, "256 plus one.*: max_position=32"),
    ("position_buckets", "8", "integer.*'8'"),
    ("max_relative_positions", 5, "beyond 5, .*position_buckets=8"),
    ("max_relative_positions", 1.5, "integer"), ("pos_att_type", ["p2p"], "c2p"),
    ("pos_att_type", 3, "c2p.*Received: 3"), ("norm_rel_ebd", "x", "'layer_norm'"),
    ("conv_kernel_size", -3, ">= 0"), ("conv_groups", 3, "divide hidden_size=16"),
])
def test_sizes_it_cannot_have_are_told_by_their_keys(key, value, expected):
    """... and by the file: no checkpoint is opened, no layer made before."""
    config = {**BUCKETS, "conv_kernel_size": 3, key: value}
    with pytest.raises(ValueError, match=f"(?s)^build.*{key}.*{expected}"):
        build("deberta_v2", **config)


def test_prefix_of_keys_is_refused():
    name = "Transformer-0-MultiHeadSelfAttention"
    prefix = keras.Input((2, 16))
    with pytest.raises(ValueError, match="attention_caches.*not possible"):
        build(
            "deberta_v2", attention_caches={name: [prefix, prefix]},
            additional_input_layers=prefix, **BUCKETS,
        )


def test_language_model_does_not_look_ahead():
    t = build("deberta_v2", "lm", with_mlm="linear", **BUCKETS)
    ids, _ = batch(rows=1)
    before = ops.convert_to_numpy(t.model(ids))
    ids[0, 5] = ids[0, 5] % 40 + 1
    after = ops.convert_to_numpy(t.model(ids))
    np.testing.assert_allclose(before[:, :5], after[:, :5], atol=2e-5)
    assert np.abs(before[:, 5:] - after[:, 5:]).max() > 1e-3


def test_dropout_of_distances_is_for_training_only():
    layer = DisentangledAttention(2, 3, position_dropout=0.5)
    x = ops.convert_to_tensor(np.random.normal(size=(2, 4, 6)).astype("float32"))
    table = DistanceEmbedding(6, 4, 8, embeddings_initializer="random_normal")
    rows = table(ops.zeros((2, 4), "int32")) * 50.0
    assert tuple(rows.shape) == (7, 6)
    plain, again, trained = (
        ops.convert_to_numpy(layer(x, relative=rows, training=one))
        for one in (False, False, True)
    )
    np.testing.assert_array_equal(plain, again)
    assert np.abs(plain - trained).max() > 1e-3
