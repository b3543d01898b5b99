"""Shared layers, graph look-ups and inputs in the way of bert4keras scripts."""

import keras
import numpy as np
import pytest
from keras import ops
from tiny_models import CONFIG, batch, build, randomize, shared

from bert4keras3.backend import get_output_at, search_layer
from bert4keras3.layers import Dense
from bert4keras3.models import build_transformer_model
from bert4keras3.utils.misc import to_array


def numpy(x):
    return ops.convert_to_numpy(x)


def test_layers_are_shared_by_name():
    """`layers=` gives a second model the first one's weights (UniLM, pretraining)."""
    first = build(with_mlm="linear")
    second = build_transformer_model(
        CONFIG, None, application="lm", with_mlm="linear", layers=first.layers,
        return_keras_model=False,
    )
    randomize(first, seed=3)
    paths = [[w.path for w in t.model.weights] for t in (first, second)]
    assert paths[0] == paths[1]
    alone = build("bert", "lm", seed=3, with_mlm="linear")
    found, expected = (numpy(t.model(batch())) for t in (second, alone))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_initializer_is_new_each_time():
    """Two layers of one shape must not start with the same weights."""
    bert = shared()
    first, second = (numpy(bert.initializer((4, 4))) for _ in range(2))
    assert (first != second).all()
    assert isinstance(bert.initializer, keras.initializers.Initializer)


def test_get_output_at_and_search_layer():
    """The idioms for shared layers and for adversarial training."""
    bert = shared()
    table = search_layer(bert.model.output, "Embedding-Token")
    assert table is bert.layers["Embedding-Token"]
    assert search_layer(bert.model.output, "No-Such-Layer") is None
    dense, x = Dense(3), keras.Input((4,))
    first = dense(x)
    second = dense(keras.layers.Activation("relu")(x))
    assert get_output_at(dense, 0) is first
    assert get_output_at(dense, 1) is second
    with pytest.raises(IndexError, match="2 time"):
        get_output_at(dense, 2)


def test_arrays_go_in_as_a_list_and_nested_lists_warn():
    """`predict` of Keras 3 takes arrays; `to_array` of the snippets makes them."""
    ids, segments = batch()
    nested = [ids.tolist(), segments.tolist()]
    model = shared().model
    expected = model.predict([ids, segments], verbose=0)
    with pytest.warns(UserWarning, match="to_array"):
        found = model.predict(nested, verbose=0)
    np.testing.assert_allclose(found, expected)
    found = model.predict(to_array(*nested), verbose=0)
    np.testing.assert_allclose(found, expected)
    assert model.predict([ids[:1], segments[:1]], verbose=0).shape == (1, 8, 16)


@pytest.mark.parametrize("family", ["roformer", "nezha"])
def test_cached_keys_have_no_distance(family):
    """Keys in front of the sequence fit a position table, not pairs of positions."""
    prefix = [keras.Input((3, 16)), keras.Input((3, 16))]
    caches = {"Transformer-0-MultiHeadSelfAttention": prefix}
    with pytest.raises(ValueError, match="attention_caches.*not possible"):
        build_transformer_model(CONFIG, model=family, attention_caches=caches)


def test_a_published_roformer_v2_is_told_from_its_norms(tmp_path):
    build("roformer_v2").save(tmp_path)
    config = tmp_path / "config.json"
    text = config.read_text("utf-8").replace(
        '"roformer_v2"', '"roformer", "norm_type": "rms_norm", "use_bias": false'
    )
    config.write_text(text, "utf-8")
    t = build_transformer_model(tmp_path, return_keras_model=False)
    assert type(t).__name__ == "RoFormerV2"
