"""The gated attention unit beyond what the original did, or did right."""

import numpy as np
import pytest
from golden_layers import layer_case
from golden_model import Case
from keras import ops
from tiny_models import batch, build

from bert4keras3.backend.tensors import sinusoidal_embeddings
from bert4keras3.layers import GatedAttentionUnit
from bert4keras3.models import GAU_alpha, build_transformer_model

BOUND = 2e-5


def states(*lengths, size=12, seed=0):
    generator = np.random.default_rng(seed)
    made = [generator.normal(size=(3, length, size)) for length in lengths]
    return [ops.convert_to_tensor(one.astype("float32")) for one in made]


def numpy(x):
    return ops.convert_to_numpy(x)


def filled(layer, seed=1):
    """Random weights: gammas of one and biases of zero would hide mistakes."""
    generator = np.random.default_rng(seed)
    for weight in layer.weights:
        weight.assign(generator.normal(0.0, 0.4, weight.shape).astype("float32"))
    return layer


def cross(**arguments):
    layer = GatedAttentionUnit(10, 4, self_attention=False, **arguments)
    layer.build([(None, None, 12)] * 3)
    return filled(layer)


def test_keys_of_another_length():
    """The original raises here: it hides keys by the mask of the queries."""
    layer = cross(normalization="softmax")
    q, k, v = states(6, 5, 5)
    masks = [np.ones((3, 6), "bool"), np.ones((3, 5), "bool"), None]
    masks[1][:, 3:] = False
    masks = [None if one is None else ops.convert_to_tensor(one) for one in masks]
    found = layer([q, k, v], mask=masks)
    assert tuple(found.shape) == (3, 6, 12)
    short = layer([q, k[:, :3], v[:, :3]])
    np.testing.assert_allclose(numpy(found), numpy(short), atol=BOUND)


def test_hidden_keys_are_those_of_the_key_mask():
    _, arrays = layer_case("gau_cross_same_len")
    layer = cross(normalization="softmax")
    for i, weight in enumerate(layer.weights):
        weight.assign(arrays[f"w_{i}"])
    inputs = [ops.convert_to_tensor(arrays[f"in_{i}"]) for i in range(3)]
    masks = [ops.convert_to_tensor(arrays[f"mask_{i}"]) for i in range(3)]
    found, recorded = numpy(layer(inputs, mask=masks)), arrays["out_0"]
    same = (arrays["mask_0"] == arrays["mask_1"]).all(axis=1)
    assert same.any() and not same.all()
    np.testing.assert_allclose(found[same], recorded[same], atol=BOUND)
    shown = ops.cast(masks[1], "float32")[:, :, None]
    changed = [inputs[0], *(one * shown for one in inputs[1:])]
    again = numpy(layer(changed, mask=masks))
    np.testing.assert_allclose(found, again, atol=BOUND)


def test_float_bias_is_added_to_the_scores():
    layer = filled_self(normalization="softmax")
    (x,) = states(6)
    hidden = np.zeros((6, 6), "float32")
    hidden[:, 4:] = -1e9
    visible = hidden == 0
    added = layer([x, ops.convert_to_tensor(hidden)], a_bias=True)
    masked = layer([x, ops.convert_to_tensor(visible)], a_bias=True)
    np.testing.assert_allclose(numpy(added), numpy(masked), atol=BOUND)
    assert np.abs(numpy(added) - numpy(layer(x))).max() > 1e-3


def filled_self(**arguments):
    layer = GatedAttentionUnit(10, 4, **arguments)
    layer.build((None, None, 12))
    return filled(layer)


def test_old_and_new_form_of_the_call_agree():
    layer = filled_self(normalization="softmax_plus")
    (x,) = states(6)
    table = sinusoidal_embeddings(ops.expand_dims(ops.arange(6), 0), 4)
    visible = ops.convert_to_tensor(np.tri(6, dtype="bool"))
    old = layer([x, visible, table], a_bias=True, p_bias="rotary")
    new = layer(x, visible=visible[None, None], rotary=table)
    three = layer([x, x + 0.0, x + 0.0], visible=visible[None, None], rotary=table)
    np.testing.assert_allclose(numpy(old), numpy(new), atol=1e-6)
    np.testing.assert_allclose(numpy(three), numpy(new), atol=1e-6)


@pytest.mark.parametrize("length, same", [(9, False), (20, True)])
def test_clamp_concerns_short_texts_only(length, same):
    clamped, free = (
        filled_self(normalization="softmax_plus", clamp_length=one)
        for one in (True, False)
    )
    (x,) = states(length)
    difference = np.abs(numpy(clamped(x)) - numpy(free(x))).max()
    assert difference == 0 if same else difference > 1e-4


def test_language_model_does_not_look_ahead():
    """A row's entropy scale counts the keys it sees, not those of the whole text."""
    t = build("gau_alpha", "lm", with_mlm="linear")
    inputs = batch(rows=1, length=24)
    before = numpy(t.forward(inputs))
    np.testing.assert_allclose(before, numpy(t.model(inputs)), atol=BOUND)
    inputs[0][0, 20] = inputs[0][0, 20] % 40 + 1
    after = numpy(t.forward(inputs))
    np.testing.assert_allclose(before[:, :20], after[:, :20], atol=BOUND)
    assert np.abs(before[:, 20:] - after[:, 20:]).max() > 1e-3


def test_wrong_number_of_inputs():
    with pytest.raises(ValueError, match="1 or 3 tensor"):
        filled_self()(states(6, 6))
    with pytest.raises(ValueError, match="p_bias must be"):
        filled_self()(states(6, 6), p_bias="t5_relative")


def test_published_config_without_heads():
    """A config of the PyTorch port does not mention them."""
    config = dict(Case("gau_alpha").meta["config"], model_type="gau_alpha")
    del config["num_attention_heads"]
    config.update(attention_scale=True, use_bias=False, normalization="softmax_plus")
    t = build_transformer_model(config, return_keras_model=False)
    assert isinstance(t, GAU_alpha) and t.num_attention_heads == 1
    with pytest.raises(ValueError, match="does not return scores"):
        build_transformer_model(config, residual_attention_scores=True)
