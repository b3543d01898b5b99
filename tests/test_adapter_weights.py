"""Checkpoints and weight files of models with LoRA, and mistakes."""

import keras
import numpy as np
import pytest
from keras import ops
from test_adapter_files import out, plain, values
from test_lora import ALL, shake
from tiny_models import batch

from bert4keras3.models import build_transformer_model, enable_lora
from bert4keras3.models.adapters import variables_of


@pytest.fixture
def t():
    t = plain()
    t.enable_lora(2, ALL, alpha=4)
    shake(t)
    return t


@pytest.mark.parametrize("how", ["hf", "npz", "tf"])
def test_checkpoints_hold_merged_weights(t, tmp_path, how):
    t.save(tmp_path / "m", format=how)
    again = build_transformer_model(
        str(tmp_path / "m"), model="bert", with_mlm="linear", return_keras_model=False
    )
    np.testing.assert_allclose(out(again), out(t), atol=1e-5)
    expected = out(plain())
    t.load(checkpoint(plain()))
    np.testing.assert_allclose(out(t), expected, atol=1e-5)


def checkpoint(t):
    return {
        row.hf: row.written(ops.convert_to_numpy(t.variables()[row.ours]), "hf")
        for row in t.rows()
        if row.hf
    }


def test_weight_files(t, tmp_path):
    path = tmp_path / "a.weights.h5"
    t.model.save_weights(path)
    expected, exact = out(t), values(t)
    shake(t, 1.0)
    t.model.load_weights(path)
    assert all((one == exact[name]).all() for name, one in values(t).items())
    other = plain(3)
    other.model.load_weights(path)
    np.testing.assert_allclose(out(other), expected, atol=1e-5)
    other.model.save_weights(path, overwrite=True)
    t.model.load_weights(path)
    np.testing.assert_allclose(out(t), expected, atol=1e-5)
    first = next(v for n, v in variables_of(t).items() if "lora_kernel_a" in n)
    assert np.abs(ops.convert_to_numpy(first)).max() > 0  # zeros would never train
    t.model.save(tmp_path / "m.keras")
    whole = keras.models.load_model(tmp_path / "m.keras")
    found = ops.convert_to_numpy(whole(batch()))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    other = plain(3)
    enable_lora(other.model, 3, ALL)
    shake(t)
    t.model.save_weights(path, overwrite=True)
    with pytest.raises(ValueError, match="Enable them as in the model"):
        other.model.load_weights(path)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"rank": 0}, "rank must be"),
        ({"targets": "FeedFroward/i0"}, "nearest are: Transformer-.-FeedForward/i0"),
        ({"targets": ["/q$", "embeddings"]}, "targets: 'embeddings'"),
        ({"train": "Poler"}, "train: 'Poler'"),
    ],
)
def test_mistakes(arguments, word):
    t = plain()
    with pytest.raises(ValueError, match=word):
        t.enable_lora(**arguments)
    assert all(v.trainable for v in variables_of(t).values())


def test_more_mistakes(t):
    with pytest.raises(ValueError, match="merge_lora"):
        t.enable_lora(2)
    with pytest.raises(ValueError, match="no LoRA"):
        plain().merge_lora()
    frozen = plain()
    frozen.model.trainable = False
    with pytest.raises(ValueError, match="trainable=False"):
        frozen.enable_lora(2)
