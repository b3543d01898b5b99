"""Packed rows give what the texts give alone, in every family that packs."""

import keras
import numpy as np
import pytest
from family_cases import CASES
from keras import ops
from packed_rows import alone, made, outputs, packed, same, texts

from bert4keras3.models.registry import find

IS_COMPILED = keras.backend.backend() != "torch"
# Families that read one text and decode nothing, one name per class.
ENCODERS = {
    find(name): name
    for name in sorted(CASES, reverse=True)
    if "with_first_token" not in find(name).unsupported
}
SOON = ("bert", "roformer", "nezha", "gau", "deberta-v2", "t5.1.0_encoder")
every = pytest.mark.parametrize(
    "family",
    [
        name if name in SOON else pytest.param(name, marks=pytest.mark.slow)
        for name in sorted({*ENCODERS.values(), "deberta_v2"})
    ],
)


def slowly(value):
    """A case that runs in the slow suite where programs are compiled."""
    return pytest.param(value, marks=[pytest.mark.slow] if IS_COMPILED else [])


def test_families_are_what_they_were():
    assert set(SOON) <= set(ENCODERS.values()) and len(ENCODERS) >= 16


@every
def test_hidden_states_and_first_tokens(family):
    plain, rows = made(family), made(family, packed=True)
    found = texts(len(plain.model.inputs))
    expected = outputs(plain.model, alone(found))
    same(expected, outputs(rows.model, packed(found)))
    first = made(family, packed=True, with_first_token=True)
    same(expected[:, 0], outputs(first.model, packed(found)), per_text=True)


@pytest.mark.parametrize("family", ["bert", "roformer_v2", "t5_encoder", "gau"])
def test_with_first_token(family, tmp_path):
    plain, first = made(family), made(family, with_first_token=True)
    inputs = alone(texts(len(plain.model.inputs)))
    expected = outputs(plain.model, inputs)[:, 0]
    np.testing.assert_allclose(outputs(first.model, inputs), expected, atol=1e-5)
    assert sorted(first.variables()) == sorted(plain.variables())
    first.model.save(tmp_path / "first.keras")
    again = keras.models.load_model(tmp_path / "first.keras")
    np.testing.assert_allclose(outputs(again, inputs), expected, atol=1e-5)


@pytest.mark.parametrize("packs", [False, True])
def test_the_last_block_computes_first_tokens_alone(packs):
    for family in ("bert", "roformer_v2", "electra", "nezha"):
        t = made(family, with_first_token=True, packed=packs)
        names = [layer.name for layer in t.model.layers]
        assert "Pooler-Query" in names and "First-Token" not in names[:-1]


@pytest.mark.parametrize("application", ["lm", "unilm"])
@pytest.mark.parametrize("family", ["bert", slowly("roformer")])
def test_language_models(family, application):
    arguments = {"application": application, "with_mlm": "linear"}
    plain, rows = made(family, **arguments), made(family, packed=True, **arguments)
    found = texts(2)
    same(outputs(plain.model, alone(found)), outputs(rows.model, packed(found)))


@pytest.mark.parametrize("head", ["with_pool", slowly("with_nsp")])
def test_pooler_and_next_sentence(head, tmp_path):
    arguments = {"family": "roformer", head: True}
    plain, rows = made(**arguments), made(packed=True, **arguments)
    found = texts(2)
    expected = outputs(plain.model, alone(found))
    same(expected, outputs(rows.model, packed(found)), per_text=True)
    same(expected, ops.convert_to_numpy(rows.forward(packed(found))), per_text=True)
    rows.model.save(tmp_path / "rows.keras")
    again = keras.models.load_model(tmp_path / "rows.keras")
    same(expected, outputs(again, packed(found)), per_text=True)


def test_one_text_a_row():
    """starts of zeros (B, 1): a model without packing; id 0 may be a first token."""
    plain, rows = (made("roformer", packed=one) for one in (False, True))
    ids, segments = (np.array(x, "int32") for x in ([[0, 3, 4, 0, 0]], [[0] * 5]))
    expected = outputs(plain.model, [ids, segments])
    found = outputs(rows.model, [ids, segments, np.zeros((1, 1), "int32")])
    np.testing.assert_allclose(found[:, :3], expected[:, :3], atol=1e-5)
    two = [np.array([[0, 3, 4, 0, 3, 4, 0]], "int32"), np.zeros((1, 7), "int32")]
    found = outputs(rows.model, [*two, np.array([[0, 3]], "int32")])
    for part in (found[0, :3], found[0, 3:6]):
        np.testing.assert_allclose(part, expected[0, :3], atol=1e-5)
