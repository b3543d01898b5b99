"""Weights go out and come back bit-equal in every format; .keras files are whole."""

import json

import keras
import numpy as np
import pytest
from keras import ops
from tiny_models import FAMILIES, batch, build, randomize

from bert4keras3.models import build_transformer_model

HEADS = {
    "bert": {"with_nsp": True, "with_mlm": True},
    "roformer": {"with_nsp": True, "with_mlm": True},
    "roformer_v2": {"with_mlm": True},
}


def values(t):
    return {name: ops.convert_to_numpy(v.value) for name, v in t.variables().items()}


def assert_same(first, second):
    assert set(first) == set(second)
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)


@pytest.fixture(scope="module", params=FAMILIES)
def pair(request):
    """Two models of a family with different weights."""
    return [build(request.param, seed=seed, **HEADS[request.param]) for seed in (0, 1)]


@pytest.mark.parametrize("format", ["hf", "tf", "npz"])
def test_round_trip(pair, format, tmp_path):
    source, target = pair
    assert_different(values(source), values(target))
    path = source.save(tmp_path, format=format)
    report = target.load(path)
    assert report.missing == report.unused == []
    assert_same(values(source), values(target))
    randomize(target, seed=1)


def test_round_trip_of_a_dict(pair):
    source, target = pair
    named = values(source)
    arrays = {row.tf: row.written(named[row.ours], "tf") for row in source.rows()}
    target.load(arrays)
    assert_same(values(source), values(target))
    randomize(target, seed=1)


def assert_different(first, second):
    assert all((first[name] != second[name]).any() for name in first)


def test_the_folder_is_enough(pair, tmp_path):
    """Config, family and weights come from the folder; heads are asked for."""
    source = pair[0]
    source.save(tmp_path)
    heads = HEADS[source.model_type]
    again = build_transformer_model(tmp_path, return_keras_model=False, **heads)
    assert type(again) is type(source)
    assert_same(values(source), values(again))


def test_half_precision_files(tmp_path):
    t = build()
    t.save(tmp_path, dtype="float16")
    again = build(seed=1)
    again.load(tmp_path)
    for name, value in values(t).items():
        expected = value.astype("float16").astype("float32")
        np.testing.assert_array_equal(values(again)[name], expected)


def test_nothing_is_overwritten_unasked(tmp_path):
    t = build()
    t.save(tmp_path)
    with pytest.raises(ValueError, match="overwrite"):
        t.save(tmp_path)
    t.save(tmp_path, overwrite=True)


def test_kept_tokens_are_saved_as_they_are(tmp_path):
    """The saved config has the reduced vocabulary: the folder loads without options."""
    t = build()
    t.save(tmp_path / "full")
    small = build_transformer_model(
        tmp_path / "full", keep_tokens=[0, 3, 5, 7], compound_tokens=[[1, 2]],
        return_keras_model=False,
    )
    small.save(tmp_path / "small")
    config = json.loads((tmp_path / "small" / "config.json").read_text("utf-8"))
    assert config["vocab_size"] == 5
    again = build_transformer_model(tmp_path / "small", return_keras_model=False)
    assert_same(values(small), values(again))
    full = values(t)["Embedding-Token/embeddings"][[0, 3, 5, 7]]
    np.testing.assert_array_equal(values(again)["Embedding-Token/embeddings"][:4], full)
    mean = full[[1, 2]].mean(axis=0)
    found = values(again)["Embedding-Token/embeddings"][4]
    np.testing.assert_allclose(found, mean, atol=1e-7)


def test_keras_file_with_a_head_trains_on(tmp_path):
    """A saved classifier loads with its optimizer and goes on where it stopped."""
    t = build(with_pool=True)
    x = keras.layers.Dense(2, activation="softmax")(t.model.output)
    model = keras.Model(t.model.inputs, x)
    model.compile("adam", "sparse_categorical_crossentropy")
    inputs, labels = batch(), np.array([0, 1, 1])
    model.fit(inputs, labels, verbose=0)
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    for _ in range(2):
        first, second = (m.predict(inputs, verbose=0) for m in (model, again))
        np.testing.assert_allclose(first, second, atol=1e-5)
        model.fit(inputs, labels, verbose=0)
        again.fit(inputs, labels, verbose=0)
