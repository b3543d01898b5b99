"""What a wrong config is told: the key, the family that has it, the weights it is."""

import json

import keras
import pytest
from tiny_models import CONFIG, build

from bert4keras3.models import build_transformer_model


def message(*args, **kwargs):
    with pytest.raises(ValueError) as caught:
        build_transformer_model(*args, **kwargs)
    return str(caught.value)


@pytest.mark.parametrize("key, family, owners", [
    ("num_key_value_heads", "bert", "llama, qwen2, qwen3"),
    ("with_discriminator", "bert", "electra"),
    ("cross_position_bias", "gpt2", "mt5, t5, t5_pegasus"),
    ("use_task_id", "roformer", "ernie"),
    ("d_kv", "bert", "mt5, t5, t5_pegasus"),  # their config's own word
])
def test_a_key_of_other_families_names_them(key, family, owners):
    for config, arguments in (({**CONFIG, key: 2}, {}), (CONFIG, {key: 2})):
        found = message(config, model=family, **arguments)
        assert f"It belongs to {owners}: pass model=" in found
        assert repr(key) in found and "Did you mean" not in found


@pytest.mark.parametrize("key, close", [
    ("hiden_size", "hidden_size"), ("with_mml", "with_mlm"),
    ("type_vocab_siz", "type_vocab_size"), ("checkpoint_pth", "checkpoint_path"),
])
def test_a_slip_names_the_key_that_was_meant(key, close):
    assert f"Did you mean '{close}'?" in message(CONFIG, **{key: 2})


@pytest.mark.parametrize("key", ["frobnicate", "layers_of_cake", "size", "num_tokens"])
def test_no_guess_is_better_than_a_wrong_one(key):
    for family in ("bert", "t5", "llama"):
        found = message({**CONFIG, key: 2}, model=family)
        assert found.endswith(f"unknown config key {key!r} (value 2).")


def test_a_slip_in_one_family_and_a_key_of_another_are_both_told():
    found = message(CONFIG, with_lm=True)
    assert "Did you mean 'with_mlm'?" in found
    assert "It belongs to bart, gpt, gpt2" in found
    assert "t5_encoder" not in found  # says itself that it has none


@pytest.mark.parametrize("format, name", [
    ("hf", "model.safetensors"), ("npz", "model.npz"), ("tf", "bert_model.ckpt"),
    ("tf", "bert_model.ckpt.index"),
])
def test_weights_in_the_place_of_the_config(format, name, tmp_path):
    build().save(tmp_path, format=format)
    path = str(tmp_path / name)
    found = message(path)
    for word in (path, "received weights", repr(str(tmp_path)), "'config.json'"):
        assert word in found
    build_transformer_model(str(tmp_path))  # as the message says


def test_other_files_in_the_place_of_the_config(tmp_path):
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {}}), "utf-8")
    assert "received weights" in message(index)
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(
        tmp_path / "m.keras"
    )
    assert "keras.models.load_model" in message(tmp_path / "m.keras")
    assert "no such config file" in message(str(tmp_path / "none.safetensors"))
