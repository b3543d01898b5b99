"""Families by name: those of the package, all public names, and your own."""

import json

import keras
import pytest
from tiny_models import CONFIG, build

from bert4keras3 import models
from bert4keras3.models import BERT, build_transformer_model, registry
from bert4keras3.models.convert import inspect

# The model classes and functions that bert4keras has, and scripts import.
ORIGINAL = """ALBERT ALBERT_Unshared BERT ELECTRA GPT GPT2 GPT2_ML LM_Mask NEZHA
RoFormer RoFormerV2 T5 T5_Base T5_Decoder T5_Encoder Transformer UniLM_Mask
build_transformer_model data_parallel extend_with_language_model
extend_with_unified_language_model""".split()
OURS = """BART BART_Base BART_Decoder BART_Encoder DeBERTaV2 ERNIE GAU_alpha Llama MBART
MBART_Decoder MBART_Encoder MT5 MT5_Decoder MT5_Encoder ModelConfig Qwen2 Qwen3
T5_1_1 T5_1_1_Decoder T5_1_1_Encoder T5_PEGASUS T5_PEGASUS_Decoder
T5_PEGASUS_Encoder""".split()


@pytest.mark.parametrize("name", ORIGINAL + OURS)
def test_public_names(name):
    assert getattr(models, name).__name__ == name
    assert name in dir(models)


def test_every_class_of_a_family_is_public():
    """... of those without an underscore in front."""
    for cls in map(registry.find, registry.FAMILIES):
        for one in cls.__mro__:
            ours = one.__module__.startswith("bert4keras3.models.families")
            if ours and not one.__name__.startswith("_"):
                assert getattr(models, one.__name__) is one
    with pytest.raises(AttributeError, match="BERTT"):
        models.BERTT  # noqa: B018


def test_data_parallel_says_what_took_its_place():
    named = {"jax": "DataParallel", "tensorflow": "Mirrored", "torch": "Distributed"}
    model = build().model
    for devices in (1, ["cpu:0"]):
        with pytest.warns(DeprecationWarning, match="one device"):
            assert models.data_parallel(model, devices) is model
    for devices in (2, ["gpu:0", "gpu:1"]):
        with pytest.raises(ValueError, match=named[keras.backend.backend()]):
            models.data_parallel(model, devices)
    assert hasattr(keras.distribution, "set_distribution")
    assert hasattr(keras.distribution, "DataParallel")


class Mine(BERT):
    """A family of somebody else."""

    model_type = "my-bert"
    options = {**BERT.options, "my_option": 3}


@pytest.fixture
def registered(request):
    before = dict(registry.FAMILIES)
    registry.register("My-BERT", request.param)
    yield
    registry.FAMILIES.clear()
    registry.FAMILIES.update(before)


targets = [Mine, f"{__name__}:Mine"]


@pytest.mark.parametrize("registered", targets, ids=["class", "path"], indirect=True)
def test_a_registered_family_is_one_like_the_others(registered, tmp_path):
    t = build("my-bert", my_option=4)
    assert type(t) is Mine
    t.save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text("utf-8"))
    assert (config["model_type"], config["my_option"]) == ("my-bert", 4)
    again = build_transformer_model(tmp_path, return_keras_model=False)
    assert type(again) is Mine and again.my_option == 4
    assert inspect(tmp_path).family == "Mine"
    with pytest.raises(ValueError, match="It belongs to my-bert: pass model="):
        build_transformer_model(CONFIG, my_option=4)
    with pytest.raises(ValueError, match="Did you mean 'my-bert'"):
        registry.find("my-bertt")
    registry.register("my-bert", type("Mine", (Mine,), {}))  # a notebook's cell again
    assert registry.find("MY-BERT") is not Mine
    assert "Mine" not in dir(models)


def test_what_cannot_be_registered():
    before = dict(registry.FAMILIES)
    with pytest.raises(ValueError, match="family of bert4keras3 itself"):
        registry.register("BERT", Mine)
    for target in ("Mine", 3, None, Mine.__init__):
        with pytest.raises(ValueError, match="package.module:Class"):
            registry.register("mine", target)
    assert before == registry.FAMILIES
