"""Packed rows give what the texts give alone, in every family that packs."""

import numpy as np
import pytest
from family_cases import CASES
from keras import ops
from packed_rows import alone, packed, placed, texts
from tiny_models import CONFIG, build

from bert4keras3.models.registry import find

# Families that read one text and decode nothing, one name per class.
ENCODERS = {
    find(name): name
    for name in sorted(CASES)
    if not find(name).unsupported.get("with_first_token")
    and not hasattr(find(name), "decoder_class")
}
FURTHER = {
    "albert": {"embedding_size": 8},
    "ernie": {"use_task_id": True, "custom_task_ids": True},
    "nezha": {"max_relative_position": 3},
    "deberta-v2": {"position_buckets": 8},
    "deberta_v2": {"position_buckets": 4, "position_biased_input": True},
    "llama": {"num_key_value_heads": 1},
    "qwen3": {"attention_head_size": 6},
    "bart_encoder": {"scale_embedding": True, "pad_token_id": 0},
}
BARE = {"with_lm": False}
every = pytest.mark.parametrize("family", sorted(ENCODERS.values()))


def pair(family, application="encoder", **arguments):
    """(a model, the same one for packed rows)."""
    arguments = {**FURTHER.get(family, {}), **arguments}
    if "with_lm" in find(family).options:
        arguments = {**BARE, **arguments}
    first = build(family, application, **arguments)
    second = build(family, application, packed=True, **arguments)
    return first, second


def outputs(t, inputs):
    found = t.model(inputs if len(inputs) > 1 else inputs[0], training=False)
    return ops.convert_to_numpy(ops.cast(found, "float32"))


def compared(plain, rows, per_text=False):
    found = texts(CONFIG["vocab_size"], len(plain.model.inputs))
    together = outputs(rows, packed(found))
    assert np.isfinite(together).all()
    for row, place, offset, text in placed(found):
        expected = outputs(plain, alone(text))[0]
        whole = together[row, offset : offset + len(text[0])]
        one = together[row, place] if per_text else whole
        np.testing.assert_allclose(one, expected, atol=1e-5, rtol=1e-5)


@every
def test_hidden_states(family):
    compared(*pair(family))


@every
def test_first_tokens(family):
    plain, rows = pair(family, with_first_token=True)
    compared(plain, rows, per_text=True)
    states, _ = pair(family)
    text = alone(texts(CONFIG["vocab_size"], len(plain.model.inputs))[0])
    first = outputs(states, text)[:, 0]
    np.testing.assert_allclose(outputs(plain, text), first, atol=1e-5)


@pytest.mark.parametrize("application", ["lm", "unilm"])
@pytest.mark.parametrize("family", ["bert", "roformer"])
def test_language_models(family, application):
    compared(*pair(family, application, with_mlm="linear"))
