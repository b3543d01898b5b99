"""LoRA on every family: outputs, what is trained, merging, files of adapters."""

import numpy as np
import pytest
from family_cases import CASES, close, example, run
from keras import ops
from tiny_models import build

from bert4keras3.backend.runtime import BACKEND
from bert4keras3.layers import Dense
from bert4keras3.models.adapters import (
    LORA_TARGETS,
    adapted,
    dense_layers,
    matching,
    variables_of,
)

ALL = r"/(q|k|v|o|i\d*)$"
QUICK = {"gau_alpha", "t5"}
FAMILIES = [
    pytest.param(
        name, marks=[pytest.mark.slow] * (BACKEND != "torch" and name not in QUICK)
    )
    for name in CASES
]


def shake(model, scale=0.3):
    """Give the additions values: as drawn they change nothing."""
    generator = np.random.default_rng(5)
    for name, variable in sorted(variables_of(model).items()):
        if "lora" in name:
            variable.assign(generator.normal(0, scale, variable.shape))


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family(family, tmp_path):
    t = build(family, **CASES[family])
    names, inputs = set(t.variables()), example(t)
    assert matching(LORA_TARGETS, dense_layers(t), "targets")
    before = run(t, inputs)
    t.enable_lora(2, ALL, alpha=3)
    assert set(t.variables()) == names
    trained = {n for n, v in variables_of(t).items() if v.trainable}
    assert trained and all("/lora_kernel_" in name for name in trained)
    assert len(trained) == 2 * len(adapted(t)) == len(t.model.trainable_variables)
    close(run(t, inputs), before)
    shake(t)
    changed = run(t, inputs)
    assert all(np.abs(a - b).max() > 1e-3 for a, b in zip(before, changed, strict=True))
    path = t.save_adapter(tmp_path / "a.safetensors")
    other = build(family, **CASES[family])
    other.load_adapter(path)
    close(run(other, inputs), changed)
    t.merge_lora()
    close(run(t, inputs), changed)
    assert set(variables_of(t)) == names


@pytest.mark.parametrize("bias", [True, False])
def test_the_formula(bias):
    layer = Dense(5, use_bias=bias, activation="tanh")
    x = np.random.normal(size=(2, 3, 4)).astype("float32")
    layer(x)
    layer.enable_lora(2, lora_alpha=6)
    for variable in layer.weights:
        variable.assign(np.random.normal(size=variable.shape))
    w, a, b = (
        ops.convert_to_numpy(one).astype("float64")
        for one in (layer.frozen_weight, layer.lora_kernel_a, layer.lora_kernel_b)
    )
    added = ops.convert_to_numpy(layer.bias) if bias else 0.0
    expected = np.tanh(x @ (w + 3.0 * a @ b) + added)
    np.testing.assert_allclose(ops.convert_to_numpy(layer(x)), expected, atol=1e-5)
    layer.merge_adapter()
    np.testing.assert_allclose(ops.convert_to_numpy(layer(x)), expected, atol=1e-5)
