"""T5's own rules: buckets, which head, which scale, whose names."""

import math

import numpy as np
import pytest
from golden_model import Case
from keras import ops
from tiny_models import build

from bert4keras3.backend import set_gelu
from bert4keras3.checkpoints.formats import open_checkpoint
from bert4keras3.layers import RelativePositionEmbeddingT5
from bert4keras3.layers.buckets import distance_buckets
from bert4keras3.models import build_transformer_model
from bert4keras3.models.published import activation_from_proj, proj_from_activation


@pytest.mark.parametrize("count, limit", [(16, 128), (32, 128), (4, 20), (7, 50)])
def test_buckets_are_those_of_the_logarithm(count, limit):
    """... where it is not within rounding of a bound; there powers decide."""
    found, exact = distance_buckets(count, limit), count // 2
    for n in range(limit + 1):
        if n < exact:
            assert found[n] == n
            continue
        position = math.log(n / exact) / math.log(limit / exact) * (count - exact)
        if abs(position - round(position)) > 1e-9:
            assert found[n] == min(exact + int(position), count - 1)
    assert found[limit] == count - 1 and (np.diff(found) >= 0).all()


def test_bucket_at_the_bound():
    """8 * 16 ** (6 / 8) is 64 exactly; logarithms in float64 fall short of it."""
    assert distance_buckets(16, 128)[[63, 64]].tolist() == [13, 14]
    assert int(math.log(64 / 8) / math.log(128 / 8) * 8) in (5, 6)


def test_scores_of_single_positions():
    """What a decoding cache asks for is a row of the whole table."""
    layer = RelativePositionEmbeddingT5(
        8, 2, max_distance=20, bidirectional=False, heads_first=True,
        embeddings_initializer="random_normal",
    )
    ids = np.zeros((1, 30), "int32")
    whole = ops.convert_to_numpy(layer([ids, ids]))
    row = layer.between(ops.array([7]), ops.arange(30))
    np.testing.assert_array_equal(ops.convert_to_numpy(row), whole[:, :, 7:8])
    assert (whole[..., 7, 7:] == whole[..., 7:8, 7]).all()  # the future is distance 0


def test_too_few_buckets():
    with pytest.raises(ValueError, match="relative_attention_num_buckets"):
        build("t5", relative_attention_num_buckets=2)


def outputs(t, case):
    return {"output_0": t.model.predict(case.model_inputs(), verbose=0)}


@pytest.mark.parametrize("name", ["t5_1_0_linear", "t5_1_1_linear", "mt5_1_1_linear"])
def test_the_checkpoint_decides_head_and_names(name):
    """One string for all versions: which head and which names, the files tell."""
    case = Case(name)
    t = case.build(config_path={**case.meta["config"], "model_type": "t5"}, model="t5",
                   cross_position_bias=True, logit_scale=True)
    assert t.tie_word_embeddings == (name == "t5_1_0_linear")
    case.check(outputs(t, case))


def test_mt5_reads_the_names_of_t5():
    case, other = Case("t5_1_1_linear"), {"model": "mt5.1.1"}
    case.check(outputs(case.build(**other), case))


@pytest.mark.parametrize("format", ["tf", "hf", "npz"])
def test_t5_pegasus_is_bert4keras_as_it_was(format, tmp_path):
    """... and a saved folder alone says so, though transformers would ignore it."""
    case = Case("mt5_1_1_linear")
    set_gelu(case.meta["set_gelu"])
    try:
        t = build_transformer_model(
            case.meta["config"], case.checkpoint, "t5_pegasus",
            return_keras_model=False, with_lm="linear",
        )
    finally:
        set_gelu("erf")
    case.check(outputs(t, case))
    t.save(tmp_path, format=format)
    again = build_transformer_model(
        tmp_path, return_keras_model=False, with_lm="linear"
    )
    assert type(again).__name__ == "T5_PEGASUS"
    case.check(outputs(again, case))


@pytest.mark.parametrize("model, arguments, scaled", [
    ("t5", {}, True), ("t5", {"tie_word_embeddings": False}, False), ("mt5", {}, False),
    ("t5", {"logit_scale": False}, False), ("mt5", {"logit_scale": True}, True),
    ("t5", {"with_lm": False}, False), ("t5_pegasus", {"with_lm": False}, True),
])
def test_scale_of_the_logits(model, arguments, scaled):
    assert ("Decoder-Output-Scale" in build(model, **arguments).layers) == scaled


def test_adafactor_slots_are_no_weights():
    case = Case("t5_1_0_linear")
    with open_checkpoint(case.checkpoint) as source:
        named = {name: source[name].read() for name in source}
    slots = {f"{n}_slot_{k}": np.ones(3) for n in named for k in ("v", "vr", "vc", "m")}
    model = {"model": "t5", "return_keras_model": False}
    t = build_transformer_model(case.meta["config"], **model)
    report = t.load({**named, **slots, "global_step": np.ones(())})
    assert report.unused == [] and report.missing == []


@pytest.mark.parametrize("style", ["hf", "tf"])
def test_keep_tokens_cuts_rows_and_columns(style, tmp_path):
    arguments = {"with_lm": "linear", "hidden_act": ["relu", "linear"]}
    t, kept = build("t5.1.1", **arguments), [7, 0, 3, 49]
    t.save(tmp_path, format=style)
    cut = build_transformer_model(
        tmp_path, with_lm="linear", keep_tokens=kept, return_keras_model=False
    )
    source, target = np.array([[1, 3, 2]], "int32"), np.array([[1, 0]], "int32")
    found = cut.model.predict([source, target], verbose=0)
    old = [np.array(kept, "int32")[one] for one in (source, target)]
    expected = t.model.predict(old, verbose=0)[..., kept]
    np.testing.assert_allclose(found[:, :1], expected[:, :1], atol=1e-5)


@pytest.mark.parametrize("proj, activation", [
    ("gated-gelu", ["gelu_tanh", "linear"]), ("relu", "relu"),
    ("gated-silu", ["silu", "linear"]), ("gelu_new", "gelu_tanh"),
    ("gated-gelu_python", ["gelu_erf", "linear"]),
])
def test_feed_forward_proj(proj, activation):
    assert activation_from_proj({"feed_forward_proj": proj})["hidden_act"] == activation
    back = proj_from_activation({"hidden_act": activation})
    assert back == {"feed_forward_proj": proj}


def test_unknown_feed_forward_proj():
    with pytest.raises(ValueError, match="feed_forward_proj"):
        activation_from_proj({"feed_forward_proj": "double-gelu"})
