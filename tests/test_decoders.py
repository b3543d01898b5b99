"""Decoders: files met in the wild, padding, refused settings, grouped heads."""

import keras
import numpy as np
import pytest
from keras import ops
from tiny_models import build

from bert4keras3.models import build_transformer_model
from bert4keras3.models.families.gpt2 import openai_name
from bert4keras3.models.saving import named_arrays

LLAMA3 = {
    "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
    "high_freq_factor": 4.0, "original_max_position_embeddings": 16,
}


def values(t):
    return {name: ops.convert_to_numpy(v.value) for name, v in t.variables().items()}


def assert_loads(arrays, source):
    target = build("gpt2", seed=1)
    report = target.load(arrays)
    assert report.missing == report.unused == []
    for name, value in values(source).items():
        np.testing.assert_array_equal(values(target)[name], value, err_msg=name)


def test_old_files_have_no_prefix_but_masks_and_the_tied_head():
    source = build("gpt2")
    arrays = {
        name.removeprefix("transformer."): array
        for name, array in named_arrays(source, "hf").items()
    }
    assert "h.1.attn.c_attn.weight" in arrays
    mask = np.tril(np.ones((1, 1, 32, 32), "float32"))
    arrays |= {"h.0.attn.bias": mask, "h.1.attn.masked_bias": np.float32(-1e4)}
    assert_loads({**arrays, "lm_head.weight": arrays["wte.weight"]}, source)


def test_names_of_openai():
    source, arrays = build("gpt2"), {}
    for name, array in named_arrays(source, "hf").items():
        inner = ".c_" in name and array.ndim == 2  # stored as convolutions
        arrays[openai_name(name)] = array[None] if inner else array
    assert {"model/wte", "model/ln_f/g", "model/h1/ln_2/b"} <= set(arrays)
    assert arrays["model/h0/attn/c_attn/w"].shape == (1, 16, 48)
    assert_loads(arrays, source)


def test_an_end_token_is_never_padding():
    config = {"n_embd": 16, "n_layer": 1, "n_head": 2, "vocab_size": 50}
    for pad, end, expected in ((49, 49, None), (0, [48, 49], 0), (48, [48, 49], None)):
        made = build_transformer_model(
            {**config, "eos_token_id": end, "pad_token_id": pad}, model="gpt2",
            return_keras_model=False,
        )
        assert made.pad_token_id == expected
        assert made.intermediate_size == 64


def test_token_0_is_seen_unless_it_is_padding():
    """bert4keras hid id 0, which is a token of GPT-2 and CPM-LM."""
    ids = np.array([[5, 0, 7, 8]])
    for pad, seen in ((None, True), (0, False)):
        t = build("gpt2", pad_token_id=pad, with_lm=False)
        before = t.model.predict(ids, verbose=0)
        table = t.layers["Embedding-Token"].embeddings
        row = np.eye(50)[:, :1] * np.arange(16)  # a change of token 0 alone
        table.assign(ops.convert_to_numpy(table) + row)
        after = t.model.predict(ids, verbose=0)
        assert (np.abs(before - after)[0, 2:].max() > 1e-3) == seen


@pytest.mark.parametrize(
    ("family", "config", "named"),
    [
        ("llama", {"mlp_bias": True}, "mlp_bias"),
        ("qwen2", {"use_sliding_window": True}, "use_sliding_window"),
        ("qwen3", {"layer_types": ["sliding_attention"] * 2}, "layer_types"),
        ("llama", {"rope_parameters": {"rope_type": "yarn", "factor": 2.0}}, "yarn"),
        ("llama", {"rope_scaling": {"type": "llama3", "factor": 2.0}}, "low_freq"),
        ("llama", {"rope_parameters": {"partial_rotary_factor": 0.5}}, "partial"),
        ("llama", {"num_key_value_heads": 3}, "kv_heads"),
        ("gpt2", {"n_embd": 16, "scale_attn_weights": False}, "scale_attn_weights"),
    ],
)
def test_what_would_compute_something_else_is_refused(family, config, named):
    sizes = {
        "vocab_size": 9, "hidden_size": 16, "num_hidden_layers": 2,
        "num_attention_heads": 4, "intermediate_size": 8,
    }
    with pytest.raises(ValueError, match=named):
        build_transformer_model({**sizes, **config}, model=family)


def test_heads_of_encoders_are_refused():
    with pytest.raises(ValueError, match="with_lm"):
        build("gpt2", with_mlm=True)


def test_unilm_replaces_the_causal_mask():
    t = build("gpt", "unilm", final_activation="linear")
    ids, segments = np.array([[5, 6, 7, 8, 9]]), np.array([[0, 0, 0, 1, 1]])
    changed = ids.copy()
    changed[0, 2] = 11
    before, after = (t.model.predict([x, segments], verbose=0) for x in (ids, changed))
    assert np.abs(before - after)[0, 0].max() > 1e-3
    changed = ids.copy()
    changed[0, 4] = 11
    after = t.model.predict([changed, segments], verbose=0)
    assert np.abs(before - after)[0, :4].max() < 1e-5
    with pytest.raises(ValueError, match="segment_vocab_size"):
        build("gpt2", "unilm")


def test_dropout_of_the_embeddings():
    """bert4keras dropped them in GPT alone; Hugging Face configs say it themselves."""
    names = lambda *a, **k: set(build(*a, dropout_rate=0.1, **k).layers)  # noqa: E731
    assert "Embedding-Dropout" in names("gpt")
    assert "Embedding-Dropout" not in names("gpt2")
    assert "Embedding-Dropout" in names("gpt2", embd_pdrop=0.1)


def test_kept_tokens_of_an_untied_head(tmp_path):
    source = build("llama")
    source.save(tmp_path)
    kept = build_transformer_model(
        tmp_path, keep_tokens=[0, 3, 5], return_keras_model=False
    )
    head = values(source)["Output-LM/kernel"][:, [0, 3, 5]]
    np.testing.assert_array_equal(values(kept)["Output-LM/kernel"], head)


def test_scaled_positions_survive_a_keras_file(tmp_path):
    t = build("llama", rope_scaling=LLAMA3, final_activation="linear")
    t.model.save(tmp_path / "m.keras")
    again, ids = keras.models.load_model(tmp_path / "m.keras"), np.arange(20)[None]
    found, expected = (m.predict(ids, verbose=0) for m in (again, t.model))
    np.testing.assert_allclose(found, expected, atol=1e-6)
    plain = build("llama", final_activation="linear").model.predict(ids, verbose=0)
    assert np.abs(plain - expected).max() > 1e-3
