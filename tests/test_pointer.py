"""GlobalPointer layers beyond their recordings: masks, dtypes, lengths, errors."""

import keras
import numpy as np
import pytest
from keras import ops

from bert4keras3.layers import EfficientGlobalPointer, GlobalPointer

LAYERS = (GlobalPointer, EfficientGlobalPointer)
each_layer = pytest.mark.parametrize("cls", LAYERS)


def numpy(x):
    return np.asarray(ops.convert_to_numpy(ops.cast(x, "float32")))


def vectors(batch=2, length=7, width=6):
    return np.random.randn(batch, length, width).astype("float32")


@each_layer
def test_what_is_visible(cls):
    mask = np.array([[1, 1, 1, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1, 1]], bool)
    scores = numpy(cls(3, 4)(vectors(), mask=ops.convert_to_tensor(mask)))
    wanted = mask[:, :, None] & mask[:, None] & np.triu(np.ones((7, 7), bool))
    assert scores.shape == (2, 3, 7, 7)
    assert (np.isfinite(scores) == wanted[:, None]).all()
    assert (scores[~np.isfinite(scores)] == -np.inf).all()
    free = numpy(cls(3, 4, tril_mask=False)(vectors()))
    assert np.isfinite(free).all()


@each_layer
def test_padding_changes_nothing(cls):
    x, layer = vectors(), cls(3, 4)
    mask = np.arange(7)[None] < np.array([[7], [7]])
    alone = numpy(layer(x, mask=ops.convert_to_tensor(mask)))
    padded = np.pad(x, [(0, 0), (0, 5), (0, 0)])
    mask = np.pad(mask, [(0, 0), (0, 5)])
    found = numpy(layer(padded, mask=ops.convert_to_tensor(mask)))
    np.testing.assert_allclose(found[..., :7, :7], alone, atol=1e-5)


@each_layer
def test_scores_depend_on_distance_alone(cls):
    """RoPE: the same vectors further right give the same scores."""
    x = np.tile(vectors(1, 1), (1, 9, 1))
    scores = numpy(cls(2, 8, use_bias=False)(x))
    moved = scores[..., 1:, 1:]
    np.testing.assert_allclose(moved[..., 0, :3], scores[..., 0, :3], atol=1e-4)
    assert abs(scores[0, 0, 0, 0] - scores[0, 0, 0, 5]) > 1e-4


@each_layer
def test_a_model_carries_no_mask_on_and_takes_any_length(cls):
    ids = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(9, 6, mask_zero=True)(ids)
    scores = cls(2, 4)(x)
    assert scores.shape == (None, 2, None, None)
    assert getattr(scores, "_keras_mask", None) is None
    model = keras.Model(ids, scores)
    for length in (4, 6):
        found = model.predict(np.array([[1, 2, 3] + [0] * (length - 3)]), verbose=0)
        assert found.shape == (1, 2, length, length)
        assert np.isfinite(found).sum() == 2 * 6


@each_layer
def test_mixed_precision_scores_are_float32(cls):
    """A bfloat16 score near 300 knows no step below 2."""
    x = vectors(length=12, width=32)
    layer, exact = cls(2, 16, dtype="mixed_bfloat16"), cls(2, 16)
    layer.build(x.shape)
    exact.build(x.shape)
    exact.set_weights(layer.get_weights())
    scores = layer(x)
    assert keras.backend.standardize_dtype(scores.dtype) == "float32"
    promised = layer.compute_output_spec(keras.KerasTensor(x.shape))
    assert promised.dtype == "float32"
    found, wanted = numpy(scores), numpy(exact(x))
    inside = np.isfinite(wanted)
    assert (inside == np.isfinite(found)).all()
    found, wanted = found[inside], wanted[inside]
    assert np.abs(found - wanted).max() < 0.02 * np.abs(wanted).max()
    assert (found.view("uint32") & 0xFFFF).any()  # digits that bfloat16 has not


@each_layer
def test_one_head_at_a_time_is_the_same(cls):
    x, layer = ops.convert_to_tensor(vectors()), cls(3, 4)
    whole = numpy(layer(x))
    shared, parts = layer.head_parts(x)
    for head in range(3):
        found = numpy(layer.head_scores(*shared, *(part[head] for part in parts)))
        inside = np.isfinite(whole[:, head])
        np.testing.assert_allclose(found[inside], whole[:, head][inside], atol=1e-5)


@each_layer
def test_odd_head_size_is_refused(cls):
    with pytest.raises(ValueError, match=f"{cls.__name__}.*head_size=5"):
        cls(2, 5)


def test_parameter_counts():
    """GlobalPointer E * 2HD + 2HD; Efficient E * 2D + 2D + 2D * 2H + 2H."""
    for cls, wanted in ((GlobalPointer, 6 * 24 + 24), (EfficientGlobalPointer, 110)):
        layer = cls(3, 4)
        layer.build((None, None, 6))
        assert layer.count_params() == wanted
