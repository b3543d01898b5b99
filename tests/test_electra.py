"""ELECTRA: discriminator and generator, in one file or alone; a user's own head."""

import re

import numpy as np
import pytest
from keras import ops
from safetensors.numpy import load_file, save_file
from tiny_models import batch, build

from bert4keras3.models import build_transformer_model
from bert4keras3.models.saving import named_arrays


def output(t):
    return ops.convert_to_numpy(t.model(batch(), training=False))


def test_one_tensorflow_file_holds_both_electras():
    sizes = {"embedding_size": 8}
    found = build("electra", with_discriminator=True, **sizes)
    maker = build("electra", with_mlm="linear", num_hidden_layers=1, seed=1, **sizes)
    embeddings = [name for name in found.variables() if name.startswith("Embedding-")]
    for name in embeddings:
        if "Mapping" not in name:
            maker.variables()[name].assign(found.variables()[name].value)
    both = {**named_arrays(found, "tf"), **named_arrays(maker, "tf")}
    assert "generator/encoder/layer_0/attention/self/query/kernel" in both
    for t, arguments in (
        (found, {"with_discriminator": True}),
        (maker, {"with_mlm": "linear", "num_hidden_layers": 1}),
    ):
        again = build("electra", seed=2, **arguments, **sizes)
        report = again.load(both)
        assert report.missing == []
        other = "electra/encoder" if t is maker else "generator/encoder"
        assert any(name.startswith(other) for name in report.unused)
        np.testing.assert_allclose(output(again), output(t), atol=1e-6)


@pytest.mark.parametrize("trunk", ["generator/", "electra/"])
def test_a_generator_alone_under_either_name(trunk):
    t = build("electra", with_mlm=True)
    named = {
        re.sub("^(electra|generator)/", trunk, k): v
        for k, v in named_arrays(t, "tf").items()
    }
    again = build("electra", with_mlm=True, seed=1)
    report = again.load(named)
    assert report.missing == report.unused == []
    np.testing.assert_allclose(output(again), output(t), atol=1e-6)


def test_the_head_of_a_user_is_reported_as_unused(tmp_path):
    t = build("electra", embedding_size=8)
    t.save(tmp_path)
    path = tmp_path / "model.safetensors"
    head = {"classifier.weight": np.ones((4, 16), "float32")}
    save_file({**load_file(path), **head}, path)
    again = build_transformer_model(tmp_path, return_keras_model=False)
    assert again.load(tmp_path).unused == ["classifier.weight"]
    np.testing.assert_array_equal(output(again), output(t))


def test_heads_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="Build one of the two"):
        build("electra", with_discriminator=True, with_mlm=True)
    with pytest.raises(ValueError, match="with_discriminator needs one hidden_act"):
        build("electra", with_discriminator=True, hidden_act=["gelu", "linear"])
