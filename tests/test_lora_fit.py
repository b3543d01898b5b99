"""LoRA under fit: what is trained, what is kept, what was compiled before."""

import keras
import numpy as np
import pytest
from family_cases import close, run
from keras import ops
from test_lora import ALL, shake
from tiny_models import batch, build

from bert4keras3.layers import Dense, FirstToken
from bert4keras3.models import enable_lora, merge_lora
from bert4keras3.models.adapters import variables_of


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
    assert all(v.trainable for v in t.variables().values())


def test_compiled_before():
    """Programs and optimizers of before know nothing of the additions."""
    t = build("bert", num_hidden_layers=1)
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
    assert len(t.model.trainable_variables) == 4


def names(t):
    return [one.name for one in t.model.inputs]


class Letters:
    """What `generate` needs of a tokenizer."""

    def decode(self, ids):
        return " ".join(map(str, ids))


def test_generation_uses_the_additions():
    t = build("gpt2", final_activation="linear", num_hidden_layers=1)
    first = t.generate([[3, 4, 5]], Letters(), maxlen=4, end_id=())
    t.enable_lora(2, ALL)
    shake(t, 1.0)
    changed = t.generate([[3, 4, 5]], Letters(), maxlen=4, end_id=())
    assert changed != first
