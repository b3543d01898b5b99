"""What every registered family must do; a new one gets all of it by its line."""

import collections

import keras
import numpy as np
import pytest
from family_cases import CASES, close, example, model, run
from keras import ops
from tiny_models import build

from bert4keras3.models import build_transformer_model
from bert4keras3.models.convert import convert
from bert4keras3.models.registry import FAMILIES

# One name per class and case: aliases of a family have nothing more to prove.
DISTINCT = {(FAMILIES[name], str(CASES[name])): name for name in sorted(CASES)}
every = pytest.mark.parametrize("family", sorted(DISTINCT.values()))


def test_every_family_has_a_case():
    assert sorted(CASES) == sorted(FAMILIES)


@every
def test_names_cover_every_variable_once(family):
    t = model(family)
    rows = t.rows()
    assert sorted(row.ours for row in rows) == sorted(t.variables())
    for style in ("tf", "hf"):
        places = collections.Counter((r.name(style), r.place(style)) for r in rows)
        assert [one for one, count in places.items() if count > 1] == []
        assert all(row.name(style) for row in rows)


@every
@pytest.mark.parametrize("style", ["tf", "hf", "npz"])
def test_round_trip(family, style, tmp_path):
    t = model(family)
    t.save(tmp_path / "first", format=style)
    arguments = {k: v for k, v in CASES[family].items() if k.startswith("with_")}
    again = build_transformer_model(
        tmp_path / "first", model=family, return_keras_model=False, **arguments
    )
    for name, variable in t.variables().items():
        found = ops.convert_to_numpy(again.variables()[name].value)
        np.testing.assert_array_equal(found, ops.convert_to_numpy(variable.value))
    close(run(again, example(t)), run(t, example(t)), 1e-6)


@every
def test_conversion_there_and_back(family, tmp_path):
    t = model(family)
    t.save(tmp_path / "a", format="tf")
    convert(tmp_path / "a", tmp_path / "b", "hf", model=family)
    convert(tmp_path / "b", tmp_path / "c", "tf", model=family)
    for part in ("data-00000-of-00001", "index"):
        name = f"bert_model.ckpt.{part}"
        first, last = (tmp_path / one / name for one in "ac")
        assert first.read_bytes() == last.read_bytes()


@every
def test_padding_and_neighbours_change_nothing(family):
    t = model(family)
    inputs = example(t)
    expected = run(t, inputs)
    order = [2, 0, 1]
    shuffled = run(t, {name: one[order] for name, one in inputs.items()})
    close(shuffled, [one[order] for one in expected])
    pad = t.pad_token_id or 0
    longer = {
        name: np.pad(
            one,
            [(0, 0), (0, 3)] + [(0, 0)] * (one.ndim - 2),
            constant_values=pad if "Token" in name else 0,
        )
        for name, one in inputs.items()
        if one.ndim == 2
    }
    found = run(t, {**inputs, **longer})
    tokens = [one.name for one in t.model.inputs if one.name.endswith("Token")]
    real = inputs[tokens[-1]] != t.pad_token_id
    real[:, 0] = True
    for long, short in zip(found, expected, strict=True):
        if short.ndim == 2:
            np.testing.assert_allclose(long, short, atol=5e-5)
        else:
            np.testing.assert_allclose(long[:, :8][real], short[real], atol=5e-5)


@every
def test_causal_families_do_not_look_ahead(family):
    t = model(family)
    token = [one.name for one in t.model.inputs if one.name.endswith("Token")][-1]
    causal = t.visibility == "lm" or token.startswith("Decoder")
    inputs = example(t, rows=1)
    changed = {name: one.copy() for name, one in inputs.items()}
    changed[token][0, 5] = inputs[token][0, 5] % 40 + 1
    before, after = (run(t, one)[-1] for one in (inputs, changed))
    if before.ndim == 3:
        difference = np.abs(before - after).max(axis=-1)[0]
        assert (difference[:5] <= 5e-5).all() == causal
        assert (difference[5:] > 1e-4).all()


@every
def test_keras_file(family, tmp_path):
    t = model(family)
    t.model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    inputs = [example(t)[one.name] for one in t.model.inputs]
    found, expected = (one.predict(inputs, verbose=0) for one in (again, t.model))
    as_list = lambda x: x if isinstance(x, list) else [x]  # noqa: E731
    close(as_list(found), as_list(expected), 1e-6)


@every
def test_bfloat16(family):
    before = keras.mixed_precision.dtype_policy()
    expected = run(model(family), example(model(family)))
    keras.mixed_precision.set_dtype_policy("mixed_bfloat16")
    try:
        found = run(build(family, **CASES[family]), example(model(family)))
    finally:
        keras.mixed_precision.set_dtype_policy(before)
    for one, other in zip(found, expected, strict=True):
        assert np.isfinite(one).all()
        scale = max(1.0, np.abs(other).max())
        assert np.abs(one - other).mean() / scale <= 3e-2
