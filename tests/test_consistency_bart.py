"""BART, English and Chinese, and mBART give transformers' numbers, both ways."""

import json

import numpy as np
import pytest
from keras import ops
from tiny_models import randomize

from bert4keras3.models import build_transformer_model

transformers = pytest.importorskip("transformers")
torch = pytest.importorskip("torch")
hf = pytest.importorskip("hf_seq2seq")

SIZES = {
    "vocab_size": hf.VOCABULARY, "d_model": 32, "encoder_layers": 2,
    "decoder_layers": 3, "encoder_attention_heads": 4, "decoder_attention_heads": 4,
    "encoder_ffn_dim": 48, "decoder_ffn_dim": 48, "max_position_embeddings": 24,
}
# kind: (model_type, what its config says besides, pad and start id)
KINDS = {
    "english": ("bart", {}, 1, 2),
    "chinese": (
        "bart",
        {
            "pad_token_id": 0, "bos_token_id": 101, "eos_token_id": 102,
            "decoder_start_token_id": 102, "forced_eos_token_id": 102,
        },
        0, 5,
    ),
    "mbart": ("mbart", {"scale_embedding": True, "pad_token_id": 1}, 1, 2),
}
every = pytest.mark.parametrize("kind", KINDS)


def classes(kind):
    name = {"bart": "Bart", "mbart": "MBart"}[KINDS[kind][0]]
    model = getattr(transformers, name + "ForConditionalGeneration")
    return getattr(transformers, name + "Config"), model


def reference(kind):
    config, model = classes(kind)
    torch.manual_seed(0)
    return hf.stirred(model(config(**SIZES, **KINDS[kind][1], init_std=0.15)))


def build(folder, **arguments):
    arguments = {"with_lm": "linear", "return_keras_model": False, **arguments}
    return build_transformer_model(folder, **arguments)


@every
def test_theirs_loaded_here(kind, tmp_path):
    _, _, pad, start = KINDS[kind]
    theirs = reference(kind)
    theirs.save_pretrained(tmp_path)
    t = build(tmp_path)
    assert t.model_type == KINDS[kind][0] and t.pad_token_id == pad
    source, target = hf.batch(pad, 24, start)
    hf.assert_same(t, theirs, source, target, pad)


@every
def test_ours_loaded_there(kind, tmp_path):
    name, config, pad, start = KINDS[kind]
    t = build({**SIZES, **config}, model=name, activation_function="relu")
    randomize(t, scale=0.15).save(tmp_path)
    theirs, info = classes(kind)[1].from_pretrained(tmp_path, output_loading_info=True)
    assert not any(info[name] for name in info)
    for key, value in config.items():  # generation there starts and ends with these
        assert getattr(theirs.config, key) == value
    source, target = hf.batch(pad, 24, start)
    hf.assert_same(t, theirs, source, target, pad)


def test_bare_trunk(tmp_path):
    """BartModel is saved without "model." and without the bias of the logits."""
    theirs = reference("english")
    theirs.model.save_pretrained(tmp_path)
    t = build(tmp_path, with_lm=False)
    source, target = hf.batch(1, 24, 2)
    expected = hf.run_theirs(theirs, source, target, 1)["Decoder"][-1]
    found = ops.convert_to_numpy(t.model([source, target]))
    assert np.abs(found - expected)[hf.real(target, 1)].max() <= hf.BOUND


def test_published_config_of_chinese_bart(tmp_path):
    """The keys that such configs carry, with tiny sizes."""
    config = {
        **SIZES, **KINDS["chinese"][1], "_name_or_path": "bart",
        "activation_dropout": 0.1, "activation_function": "gelu",
        "add_bias_logits": False, "add_final_layer_norm": False,
        "architectures": ["BartForConditionalGeneration"], "attention_dropout": 0.1,
        "classif_dropout": 0.1, "classifier_dropout": 0.0,
        "decoder_layerdrop": 0.0, "dropout": 0.1, "early_stopping": True,
        "encoder_layerdrop": 0.0, "gradient_checkpointing": False,
        "id2label": {"0": "LABEL_0"}, "init_std": 0.02, "is_encoder_decoder": True,
        "label2id": {"LABEL_0": 0}, "model_type": "bart", "no_repeat_ngram_size": 3,
        "normalize_before": False, "normalize_embedding": True, "num_beams": 4,
        "num_hidden_layers": 2, "scale_embedding": False, "task_specific_params": {},
        "tokenizer_class": "BertTokenizer", "torch_dtype": "float32", "use_cache": True,
    }
    (tmp_path / "config.json").write_text(json.dumps(config), "utf-8")
    t = build(tmp_path / "config.json")
    assert (t.dropout_rate, t.attention_dropout_rate, t.max_position) == (0.1, 0.1, 24)
    assert (t._encoder.num_hidden_layers, t._decoder.num_hidden_layers) == (2, 3)


@pytest.mark.parametrize(
    "key, value",
    [
        ("normalize_before", True), ("add_final_layer_norm", True),
        ("decoder_attention_heads", 2), ("decoder_ffn_dim", 96),
        ("tie_word_embeddings", False),
    ],
)
def test_what_it_cannot_compute_is_refused(key, value):
    with pytest.raises(ValueError, match=key):
        build({**SIZES, key: value}, model="bart")
