"""Heads and gradients of packed rows, and what cannot be packed."""

import keras
import numpy as np
import pytest
from keras import ops
from packed_rows import PLACES, alone, made, outputs, packed, placed, texts

from bert4keras3.layers import (
    EfficientGlobalPointer,
    GlobalPointer,
    SparsePointerLoss,
)
from bert4keras3.losses import sparse_global_pointer_crossentropy


@pytest.mark.parametrize("layer", [GlobalPointer, EfficientGlobalPointer])
def test_pointers(layer, tmp_path):
    plain, rows = made("bert").model, made("bert", packed=True).model
    pointer, found = layer(3, 8), texts(2)
    single = keras.Model(plain.inputs, pointer(plain.output))
    starts = rows.inputs[-1]
    together = keras.Model(rows.inputs, pointer(rows.output, starts=starts))
    expected = outputs(single, alone(found))
    together.save(tmp_path / "pointer.keras")
    again = keras.models.load_model(tmp_path / "pointer.keras")
    scores, inside = outputs(again, packed(found)), 0
    for i, (row, _, offset, size) in enumerate(placed()):
        part = slice(offset, offset + size)
        one = expected[i, :, :size, :size]
        np.testing.assert_allclose(scores[row, :, part, part], one, atol=2e-5)
        inside += np.isfinite(one).sum()
    assert np.isfinite(scores).sum() == inside  # padding, other texts: none
    pairs = np.array([[[[0, 1]], [[3, 5]], [[8, 9]]], [[[0, 5]], [[6, 6]], [[7, 9]]]])
    pairs = pairs.astype("int32")
    symbol = keras.Input((3, None, 2), dtype="int32")
    loss = SparsePointerLoss(pointer)([rows.output, symbol, starts])
    trainer = keras.Model([*rows.inputs, symbol], loss)
    trainer([*packed(found), pairs])
    told = ops.mean(sparse_global_pointer_crossentropy(pairs, scores))
    both = [ops.convert_to_numpy(one) for one in (trainer.losses[0], told)]
    np.testing.assert_allclose(*both, rtol=1e-4)


def trained(model, *batch):
    """What one step of gradient descent changes, by weight."""
    reduction = "mean_with_sample_weight"
    loss = keras.losses.SparseCategoricalCrossentropy(True, reduction=reduction)
    model.compile(keras.optimizers.SGD(1.0), loss)
    before = [ops.convert_to_numpy(one) + 0 for one in model.trainable_variables]
    model.train_on_batch(*batch)
    after = [ops.convert_to_numpy(one) for one in model.trainable_variables]
    return [b - a for a, b in zip(before, after, strict=True)]


@pytest.mark.parametrize("family", ["bert", "roformer"])
def test_gradients(family):
    """Packed texts have the gradients of the same texts one a row."""
    found, changes = texts(2), []
    kernel = keras.initializers.RandomNormal(seed=0)
    y, weights = np.zeros((2, PLACES), "int32"), np.zeros((2, PLACES), "float32")
    for label, (row, place, *_) in enumerate(placed()):
        y[row, place], weights[row, place] = label, 1.0
    for arguments, batch in (
        ({}, (alone(found), np.arange(len(found)))),
        ({"packed": True}, (packed(found), y, weights)),
    ):
        base = made(family, with_first_token=True, **arguments).model
        head = keras.layers.Dense(7, kernel_initializer=kernel)
        model = keras.Model(base.inputs, head(base.output))
        changes.append(trained(model, *batch))
    for one, other in zip(*changes, strict=True):
        np.testing.assert_allclose(one, other, atol=3e-5)
    assert max(np.abs(one).max() for one in changes[0]) > 1e-2


@pytest.mark.parametrize(
    ("family", "arguments", "message"),
    [
        ("t5", {}, "a decoder reads one memory"),
        ("bart", {}, "a decoder reads one memory"),
        ("bert", {"custom_position_ids": True}, "custom_position_ids"),
        ("bert", {"layer_norm_cond": keras.Input((4,))}, "layer_norm_cond"),
        ("deberta-v2", {"conv_kernel_size": 3}, "convolution"),
    ],
)
def test_what_cannot_be_packed(family, arguments, message):
    with pytest.raises(ValueError, match=f"packed=True.*{message}"):
        made(family, packed=True, **arguments)


def test_mistakes():
    with pytest.raises(ValueError, match="with_first_token=True.*with_pool=True"):
        made("bert", with_first_token=True, with_pool=True)
    with pytest.raises(ValueError, match="with_first_token.*whole text"):
        made("t5", with_first_token=True)
    rows = made("bert", application="lm", packed=True)
    with pytest.raises(ValueError, match="packed=True.*cannot generate"):
        rows.generate([[1, 2]], end_id=3)
    with pytest.raises(ValueError, match="Input-Start.*2 input"):
        rows.forward([np.ones((1, 3), "int32")] * 2)
