"""A folder saved here tells transformers by which tokens to generate."""

import json

import numpy as np
import pytest
from tiny_models import CONFIG, build

from bert4keras3.models import build_transformer_model
from bert4keras3.models.convert import convert
from bert4keras3.models.published import kept_id

IDS = ("pad_token_id", "decoder_start_token_id", "eos_token_id", "is_encoder_decoder")


def told(folder):
    config = json.loads((folder / "config.json").read_text("utf-8"))
    return {key: config[key] for key in IDS if key in config}


@pytest.mark.parametrize("family", ["t5", "mt5", "t5.1.1"])
def test_t5_from_a_tensorflow_config(family, tmp_path):
    """bert4keras's configs say nothing about generation."""
    t = build(family, hidden_act=["gelu_new", "linear"])
    t.save(tmp_path / "tf", format="tf")
    (tmp_path / "tf" / "bert_config.json").write_text(
        json.dumps({**CONFIG, "hidden_act": ["gelu_new", "linear"]}), "utf-8"
    )
    again = build_transformer_model(
        tmp_path / "tf", model=family, return_keras_model=False
    )
    again.save(tmp_path / "hf")
    convert(tmp_path / "tf", tmp_path / "converted", "hf", model=family)
    for name in ("hf", "converted"):
        assert told(tmp_path / name) == dict(zip(IDS, (0, 0, 1, True), strict=True))


def test_what_the_config_says_wins(tmp_path):
    config = {**CONFIG, "decoder_start_token_id": 7, "eos_token_id": [3, 4]}
    t = build_transformer_model(config, model="t5", return_keras_model=False)
    t.save(tmp_path)
    assert told(tmp_path) == dict(zip(IDS, (0, 7, [3, 4], True), strict=True))


def test_t5_pegasus_and_encoders_say_nothing_they_do_not_know(tmp_path):
    """T5-PEGASUS starts with [CLS] and ends with [SEP] of its BERT vocabulary."""
    for family in ("t5_pegasus", "t5_encoder"):
        build(family).save(tmp_path / family)
        assert told(tmp_path / family) == {"pad_token_id": 0}


def test_ids_follow_keep_tokens(tmp_path):
    config = {**CONFIG, "eos_token_id": [4, 9], "bos_token_id": 8}
    kept = {"keep_tokens": [0, 5, 1, 9], "return_keras_model": False}
    build_transformer_model(CONFIG, model="t5", **kept).save(tmp_path / "t5")
    assert told(tmp_path / "t5")["eos_token_id"] == 2
    build_transformer_model(config, model="llama", **kept).save(tmp_path / "llama")
    found = json.loads((tmp_path / "llama" / "config.json").read_text("utf-8"))
    assert (found["eos_token_id"], found["bos_token_id"]) == ([3], None)
    assert kept_id(5, None) == 5 and kept_id(None, (5,)) is None


def test_transformers_generates_what_we_do(tmp_path):
    transformers = pytest.importorskip("transformers")
    torch = pytest.importorskip("torch")
    t = build("t5", with_lm="linear", hidden_act="relu")
    t.save(tmp_path)
    theirs = transformers.T5ForConditionalGeneration.from_pretrained(tmp_path).eval()
    source = np.array([[5, 9, 12, 1, 0], [7, 30, 1, 0, 0]], "int32")
    found = theirs.generate(
        torch.tensor(source.astype("int64")), do_sample=False, max_new_tokens=6,
        attention_mask=torch.tensor((source != 0).astype("int64")),
    ).numpy()
    assert (found[:, 0] == 0).all()
    for row, ids in zip(source, found, strict=True):
        for step in range(1, len(ids)):
            scores = t.model.predict(
                [row[None], ids[None, :step].astype("int32")], verbose=0
            )
            assert scores[0, -1].argmax() == ids[step]
            if ids[step] == 1:
                assert (ids[step + 1 :] == 0).all()
                break
