"""LoRA on every family: outputs, what is trained, merging, files of adapters."""

import family_cases
import keras
import numpy as np
import pytest
from family_cases import CASES, close, example, run
from keras import ops
from tiny_models import batch, build, randomize

from bert4keras3.backend.runtime import BACKEND
from bert4keras3.layers import Dense, FirstToken
from bert4keras3.models import enable_lora, merge_lora
from bert4keras3.models.adapters import adapted, variables_of

ALL = r"/(q|k|v|o|i\d*)$"
QUICK = {"bert", "albert", "gau_alpha", "deberta-v2", "t5", "llama"}
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


def test_default_targets_exist_in_every_family():
    """The dense layers' names are known without building them all again."""
    for family in CASES:
        t = family_cases.model(family)
        paths = {n.removesuffix("/kernel") for n in t.variables()}
        assert any(p.endswith(("/q", "/v", "/i")) for p in paths), family


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


def classifier(t):
    x = FirstToken()(t.model.output)
    return keras.Model(t.model.inputs, Dense(2, "softmax", name="Head")(x))


def test_fit_trains_the_additions_and_heads_alone():
    t = build("bert", with_pool=False)
    model = classifier(t)
    t.enable_lora(2)
    model.compile("adam", "sparse_categorical_crossentropy")
    before = {k: ops.convert_to_numpy(v) for k, v in variables_of(model).items()}
    x, y = batch(4), np.array([0, 1, 0, 1])
    model.optimizer.learning_rate = 0.03
    losses = model.fit(x, y, epochs=12, verbose=0).history["loss"]
    assert losses[-1] < 0.5 * losses[0]
    moved = {
        name
        for name, one in variables_of(model).items()
        if np.abs(ops.convert_to_numpy(one) - before[name]).max() > 0
    }
    expected = {n for n in before if "lora" in n or n.startswith("Head/")}
    # The first token is all the last block computes for; its keys are still read.
    assert moved == expected


def test_kept_variables_and_a_plain_model():
    t = build("bert", with_mlm="linear")
    t.enable_lora(2, train=["^MLM-Bias", "Norm/beta$"])
    kept = {n for n, v in t.variables().items() if v.trainable}
    assert "MLM-Bias/beta" in kept and "Embedding-Norm/beta" in kept
    assert "MLM-Dense/kernel" not in kept
    t = build("bert")
    model = classifier(t)
    enable_lora(model, 2, train="^Head")
    left = [n for n, v in variables_of(model).items() if v.trainable]
    assert {"Head/kernel", "Head/bias"} == {n for n in left if "/lora_kernel" not in n}
    assert len(left) == 2 + 2 * 2 * 2
    merge_lora(model)
    assert not any(v.trainable for v in t.variables().values())
    t.model.trainable = True
    assert all(v.trainable for v in t.variables().values())


def test_compiled_before():
    """Programs and optimizers of before know nothing of the additions."""
    t = build("bert")
    x, y = batch(), np.zeros((3, 8, 16), "float32")
    t.model.compile("sgd", "mse")
    t.model.fit(x, y, verbose=0)
    t.model.predict_on_batch(x)
    t.enable_lora(2)
    with pytest.raises(ValueError, match="compile"):
        t.model.fit(x, y, verbose=0)
    shake(t)
    close([t.model.predict_on_batch(x)], run(t, dict(zip(names(t), x, strict=True))))
    t.model.compile("sgd", "mse")
    t.model.fit(x, y, verbose=0)


def names(t):
    return [one.name for one in t.model.inputs]


def test_generation_uses_the_additions():
    t = build("gpt2", final_activation="linear")
    prompt = [[3, 4, 5]]
    first = t.generate(prompt, maxlen=4, end_id=0)
    t.enable_lora(2, ALL)
    assert t.generate(prompt, maxlen=4, end_id=0) == first
    t.merge_lora()
    randomize(t, 9)
    t.enable_lora(2, ALL)
    shake(t, 1.0)
    changed = t.generate(prompt, maxlen=4, end_id=0)
    t.merge_lora()
    assert t.generate(prompt, maxlen=4, end_id=0) == changed != first
