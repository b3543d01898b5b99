"""Bad configs and bad batches: the error names the key, what came and what to do."""

import json

import keras
import numpy as np
import pytest
from keras import ops
from tiny_models import CONFIG, build, shared

from bert4keras3.models import build_transformer_model


def refused(words, config=None, **arguments):
    """Building must raise a ValueError whose message has all the words."""
    with pytest.raises(ValueError) as caught:
        build_transformer_model(CONFIG if config is None else config, **arguments)
    for word in words:
        assert word in str(caught.value), f"{word!r} is not in: {caught.value}"


def test_unknown_argument_names_the_closest():
    refused(["with_mml", "with_mlm"], with_mml=True)
    refused(["num_hidden_layer'", "num_hidden_layers"], num_hidden_layer=3)


def test_unknown_model_names_the_closest():
    refused(["roformerv2", "roformer_v2"], model="roformerv2")
    refused(["application", "encodr", "encoder", "unilm"], application="encodr")


def test_unknown_config_key_names_the_file(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**CONFIG, "hiden_act": "relu"}), encoding="utf-8")
    refused([str(path), "hiden_act", "hidden_act"], str(path))


@pytest.mark.parametrize(
    "key", ["vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads"]
)
def test_missing_key(key, tmp_path):
    path = tmp_path / "config.json"
    config = {name: value for name, value in CONFIG.items() if name != key}
    path.write_text(json.dumps(config), encoding="utf-8")
    refused([str(path), key, "build_transformer_model"], str(path))


def test_unreadable_config(tmp_path):
    path = tmp_path / "config.json"
    refused([str(path), "no such"], str(path))
    path.write_text('{"vocab_size": 3,', encoding="utf-8")
    refused([str(path), "JSON"], str(path))
    path.write_text("[1, 2]", encoding="utf-8")
    refused([str(path), "list"], str(path))
    empty = tmp_path / "empty"
    empty.mkdir()
    refused([str(empty), "config.json"], str(empty))


@pytest.mark.parametrize(
    "key, value",
    [
        ("hidden_size", 16.5), ("vocab_size", 0), ("num_hidden_layers", "2"),
        ("max_position", -1), ("dropout_rate", 1.0), ("segment_vocab_size", -1),
        ("num_attention_heads", True),
    ],
)
def test_wrong_values(key, value):
    refused([key, str(value)], **{key: value})


def test_sizes_that_do_not_fit():
    refused(["hidden_size=16", "num_attention_heads=3"], num_attention_heads=3)
    refused(["keep_tokens", "50"], keep_tokens=[0, 50])
    refused(["gelux", "gelu"], hidden_act="gelux")


def test_unsupported_options_are_not_ignored():
    """The original accepted and ignored these."""
    refused(["with_pool", "pooler"], model="roformer_v2", with_pool=True)
    refused(["with_nsp"], model="roformer_v2", with_nsp=True)
    condition = keras.Input((4,))
    refused(["layer_norm_cond"], model="roformer_v2", layer_norm_cond=condition)


def test_unilm_without_segments():
    refused(["unilm", "segment"], application="unilm", segment_vocab_size=0)


BAD_IDS = {"too large": 50, "negative": -1}


@pytest.mark.parametrize("kind", BAD_IDS)
def test_ids_out_of_range(kind):
    """Uncompiled code raises; a compiled program cannot, its NaN is loud as well."""
    ids = np.array([[1, 2, BAD_IDS[kind], 3]], "int32")
    with pytest.raises(ValueError) as caught:
        shared().model([ids, 0 * ids])
    for word in ("Embedding-Token", "[0, 50)", str(BAD_IDS[kind]), "vocab_size"):
        assert word in str(caught.value)
    if keras.config.backend() == "torch":  # predict is not compiled there
        with pytest.raises(ValueError, match="Embedding-Token"):
            shared().model.predict([ids, 0 * ids], verbose=0)
    else:
        found = shared().model.predict([ids, 0 * ids], verbose=0)
        assert np.isnan(found).any()


def test_training_on_bad_ids_gives_a_nan_loss():
    if keras.config.backend() == "torch":
        pytest.skip("torch runs uncompiled and raises instead")
    model = build(with_pool=True).model
    model.compile("sgd", "mse")
    ids = np.array([[1, 2, 50, 3]], "int32")
    assert np.isnan(model.train_on_batch([ids, 0 * ids], np.zeros((1, 16))))


def test_batch_longer_than_the_position_table():
    ids = np.ones((1, 33), "int32")
    with pytest.raises(ValueError) as caught:
        shared().model([ids, 0 * ids])
    for word in ("Embedding-Position", "32", "33", "maxlen", "hierarchical_position"):
        assert word in str(caught.value)
    longer = build(hierarchical_position=True).model
    assert np.isfinite(ops.convert_to_numpy(longer([ids, 0 * ids]))).all()
    roformer = shared("roformer").model
    assert np.isfinite(ops.convert_to_numpy(roformer([ids, 0 * ids]))).all()
