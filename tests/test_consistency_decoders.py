"""Decoders: the same weights give the same numbers in transformers, both ways."""

import json

import numpy as np
import pytest
from hf_decoders import (
    BOUND,
    CASES,
    assert_same,
    build,
    configured,
    inputs,
    model_class,
    reference,
    run_ours,
    run_theirs,
    torch,
    transformers,
)
from tiny_models import randomize


@pytest.mark.parametrize("name", CASES)
def test_saved_there_and_loaded_here(name, tmp_path):
    kind, values = CASES[name]
    theirs = reference(kind, values)
    theirs.save_pretrained(tmp_path)
    t = build(tmp_path)
    assert t.pad_token_id is None
    assert_same(run_ours(t), run_theirs(theirs))


@pytest.mark.parametrize("name", CASES)
def test_saved_here_and_loaded_there(name, tmp_path):
    kind, values = CASES[name]
    config = configured(kind, values).to_dict()
    t = randomize(build(config, pad_token_id=None), scale=0.15)
    t.save(tmp_path)
    theirs, info = model_class(kind).from_pretrained(tmp_path, output_loading_info=True)
    wrong = ("missing_keys", "unexpected_keys", "mismatched_keys")
    assert not any(info[key] for key in wrong)
    saved = json.loads((tmp_path / "config.json").read_text("utf-8"))
    assert saved["model_type"] == theirs.config.model_type == config["model_type"]
    assert_same(run_ours(t), run_theirs(theirs.eval()))
    auto = transformers.AutoConfig.from_pretrained(tmp_path).to_dict()
    for key in set(values) - {"initializer_range"}:
        assert auto[key] == config[key], key


def test_segments_from_the_token_table():
    """CDial-GPT names the speaker of each token by a token of the vocabulary."""
    theirs = reference(*CASES["gpt"])
    ids, real = inputs()
    speakers = np.where(np.arange(10) % 4 < 2, 5, 6) * np.ones_like(ids)
    t = build(
        theirs.config.to_dict(), model="gpt", shared_segment_embeddings=True,
        segment_vocab_size=2,
    )
    t.load({k: v.numpy() for k, v in theirs.state_dict().items()})
    with torch.no_grad():
        expected = theirs(
            torch.tensor(ids).long(), token_type_ids=torch.tensor(speakers).long()
        )
    found = t.model.predict([ids, speakers], verbose=0)
    assert np.abs(found[real] - expected.logits.numpy()[real]).max() <= BOUND


@pytest.mark.parametrize("name", ["gpt2", "qwen3"])
def test_hidden_states_of_the_model_without_a_head(name, tmp_path):
    kind, values = CASES[name]
    theirs = reference(kind, values)
    theirs.base_model.save_pretrained(tmp_path)
    t = build(tmp_path, with_lm=False)
    ids, real = inputs()
    states = run_theirs(theirs)[0][-1]
    assert np.abs(t.model.predict(ids, verbose=0)[real] - states[real]).max() <= BOUND


@pytest.mark.parametrize("name", ["llama_scaled", "llama_linear"])
def test_rotary_settings_in_old_words(name, tmp_path):
    """Configs before transformers 5 have rope_theta and rope_scaling."""
    theirs = reference(*CASES[name])
    theirs.save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    config = json.loads(path.read_text("utf-8"))
    scaling = config.pop("rope_parameters")
    config["rope_theta"] = scaling.pop("rope_theta")
    config["rope_scaling"] = {"type": scaling.pop("rope_type"), **scaling}
    path.write_text(json.dumps(config), "utf-8")
    assert_same(run_ours(build(tmp_path)), run_theirs(theirs))
