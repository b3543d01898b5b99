"""Weights under the wrong family: refused or warned of, never silently wrong."""

import json

import pytest
from keras import layers
from tiny_models import CONFIG, build

from bert4keras3.checkpoints.errors import CheckpointError
from bert4keras3.models import BERT, build_transformer_model


@pytest.mark.parametrize("family", ["qwen2", "qwen3"])
def test_qwen_is_not_llama(family, tmp_path):
    """Llama has no such biases and norms; without them the numbers are others."""
    build(family).save(tmp_path)
    with (
        pytest.warns(UserWarning, match=f"model_type='{family}'"),
        pytest.raises(CheckpointError, match="self_attn"),
    ):
        build_transformer_model(tmp_path, model="llama")


def test_another_version_of_t5_is_warned_of(tmp_path):
    build("mt5", hidden_act=["gelu", "linear"]).save(tmp_path)
    with pytest.warns(UserWarning, match="model='t5.1.1'.*model_type='mt5'"):
        build_transformer_model(tmp_path, model="t5.1.1")


def test_t5_pegasus_does_not_call_itself_mt5(tmp_path):
    """transformers would open it and leave out the bias of cross-attention."""
    build("t5_pegasus").save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text("utf-8"))
    assert config["model_type"] == "t5_pegasus"


def test_token_ids_of_generation_are_kept(tmp_path):
    config = {**CONFIG, "model_type": "llama", "bos_token_id": 8, "eos_token_id": 7}
    t = build_transformer_model(config, return_keras_model=False)
    t.save(tmp_path)
    found = json.loads((tmp_path / "config.json").read_text("utf-8"))
    assert (found["bos_token_id"], found["eos_token_id"]) == (8, 7)


class Unnamed(BERT):
    """A layer that no row of the name table speaks of."""

    def apply_final_layers(self, inputs):
        x = super().apply_final_layers(inputs)
        return self.apply(inputs=x, layer=layers.Dense, units=3, name="My-Dense")


def test_weights_without_a_name_are_told(tmp_path):
    with pytest.warns(UserWarning, match="not saved.*My-Dense/bias"):
        build(Unnamed).save(tmp_path)
