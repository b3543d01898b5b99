"""T5 1.0, 1.1 and mT5 give transformers' numbers, in both directions."""

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
    "vocab_size": hf.VOCABULARY, "d_model": 32, "d_kv": 6, "d_ff": 48, "num_layers": 2,
    "num_decoder_layers": 3, "num_heads": 4, "decoder_start_token_id": 0,
}
# kind: (config of transformers beyond SIZES, our family, its arguments)
KINDS = {
    "t5": ({}, "t5", {"hidden_act": "relu"}),
    "t5 1.1": (
        {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
        "t5.1.1", {"hidden_act": ["gelu_new", "linear"]},
    ),
    "mt5": ({}, "mt5", {}),
    "t5 gated and tied": (
        {"feed_forward_proj": "gated-silu"}, "t5", {"hidden_act": ["silu", "linear"]},
    ),
    "t5 exact gelu": ({"feed_forward_proj": "gelu"}, "t5", {"hidden_act": "gelu_erf"}),
}
every = pytest.mark.parametrize("kind", KINDS)


def classes(kind):
    name = "MT5" if kind == "mt5" else "T5"
    model = getattr(transformers, name + "ForConditionalGeneration")
    return getattr(transformers, name + "Config"), model


def reference(kind):
    """A random model of transformers; 1.1 and mT5 with an output table of their own."""
    config, model = classes(kind)
    torch.manual_seed(0)
    theirs = hf.stirred(model(config(**SIZES, **KINDS[kind][0])))
    if kind in ("t5 1.1", "mt5"):
        own = 0.2 * torch.randn(hf.VOCABULARY, SIZES["d_model"])
        theirs.lm_head.weight = torch.nn.Parameter(own)
    return theirs


def build(folder, **arguments):
    arguments = {"with_lm": "linear", "return_keras_model": False, **arguments}
    return build_transformer_model(folder, **arguments)


@every
def test_theirs_loaded_here(kind, tmp_path):
    """transformers 5 writes "tied" into all of these configs: the file decides."""
    theirs = reference(kind)
    theirs.save_pretrained(tmp_path)
    t = build(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text("utf-8"))
    assert t.model_type == config["model_type"]
    assert t.tie_word_embeddings == (kind not in ("t5 1.1", "mt5"))
    source, target = hf.batch(length=150)  # beyond the last bucket
    hf.assert_same(t, theirs, source, target)


@every
def test_ours_loaded_there(kind, tmp_path):
    _, family, arguments = KINDS[kind]
    sizes = {k: v for k, v in SIZES.items() if k != "decoder_start_token_id"}
    t = randomize(build(sizes, model=family, **arguments), scale=0.15)
    t.save(tmp_path)
    theirs, info = classes(kind)[1].from_pretrained(tmp_path, output_loading_info=True)
    assert not any(info[name] for name in info)
    source, target = hf.batch(length=150)
    hf.assert_same(t, theirs, source, target)


@pytest.mark.parametrize("name", ["T5", "MT5"])
def test_encoder_alone(name, tmp_path):
    """The folder says by its architecture that there is no decoder, here and there."""
    config = getattr(transformers, name + "Config")(**SIZES)
    theirs = hf.stirred(getattr(transformers, name + "EncoderModel")(config)).eval()
    theirs.save_pretrained(tmp_path / "theirs")
    t = build_transformer_model(tmp_path / "theirs", return_keras_model=False)
    t.save(tmp_path / "ours")
    again = type(theirs).from_pretrained(tmp_path / "ours").eval()
    source, _ = hf.batch()
    mask = source != 0
    found = ops.convert_to_numpy(t.model(source))[mask]
    for model in (theirs, again):
        with torch.no_grad():
            ids = torch.tensor(source.astype("int64"))
            states = model(input_ids=ids, attention_mask=torch.tensor(mask))
        assert np.abs(found - states.last_hidden_state.numpy()[mask]).max() <= hf.BOUND


def test_hidden_states_of_the_decoder_are_not_scaled(tmp_path):
    theirs = reference("t5")
    theirs.save_pretrained(tmp_path)
    source, target = hf.batch()
    found = ops.convert_to_numpy(build(tmp_path, with_lm=False).model([source, target]))
    expected = hf.run_theirs(theirs, source, target)["Decoder"][-1]
    mask = hf.real(target, 0)
    assert np.abs(found - expected)[mask].max() <= hf.BOUND


def test_old_files_that_repeat_the_token_table(tmp_path):
    """pytorch_model.bin of T5 1.0 holds it four times; it is one, and tied."""
    theirs = reference("t5")
    theirs.config.save_pretrained(tmp_path)
    state = theirs.state_dict()
    assert "lm_head.weight" in state and "encoder.embed_tokens.weight" in state
    state = {k: v.clone() for k, v in state.items()}
    name = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"
    state[name] = torch.ones(32, 4)  # files before 2020; transformers ignores it
    torch.save(state, tmp_path / "pytorch_model.bin")
    t = build(tmp_path)
    assert t.tie_word_embeddings
    source, target = hf.batch()
    hf.assert_same(t, theirs, source, target)
