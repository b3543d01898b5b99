"""Eight steps of small models, trained by the original with its own optimizers."""

import functools
import json
import pathlib

import keras
import numpy as np
import pytest
from golden_model import Case
from keras import ops
from optimizer_problem import stacked

from bert4keras3.backend import chains
from bert4keras3.layers import ConditionalRandomField, EfficientGlobalPointer
from bert4keras3.losses import GlobalPointerCrossentropy

FOLDER = pathlib.Path(__file__).parent / "golden" / "training"
CASES = json.loads((FOLDER / "cases.json").read_text("utf-8"))


@functools.cache
def arrays(name):
    stored = np.load(FOLDER / "arrays.npz")
    return {key: stored[where] for key, where in CASES[name]["arrays"].items()}


def following_tokens(weighed, y_true, y_pred):
    """Cross-entropy of a language model; y_true: tokens, and what weighs them."""
    tokens, weights = y_true[:, 1:, 0], ops.cast(y_true[:, 1:, 1], "float32")
    losses = keras.losses.sparse_categorical_crossentropy(tokens, y_pred[:, :-1])
    return ops.sum(losses * weights) / ops.sum(weights)


def masked_tokens(y_true, y_pred):
    weights = ops.cast(y_true != 0, "float32")
    losses = keras.losses.sparse_categorical_crossentropy(
        y_true, y_pred, from_logits=True
    )
    return ops.sum(losses * weights) / ops.sum(weights)


def original_crf(crf):
    """The original closes gaps of the mask in the normaliser and not in the score."""

    def loss(y_true, y_pred):
        scores, trans, mask = crf.chain(y_pred)
        steps = ops.arange(mask.shape[1])
        order = ops.argsort(ops.where(mask, steps, steps + mask.shape[1]), axis=1)
        closed = ops.take_along_axis(scores, ops.expand_dims(order, -1), axis=1)
        kept = ops.take_along_axis(ops.cast(mask, "int32"), order, axis=1) > 0
        total = chains.log_normalizer(closed, trans, kept)
        return total - chains.path_score(scores, trans, mask, ops.cast(y_true, "int32"))

    return loss


def task(name, case, output):
    """(output, labels, loss) of the recorded training."""
    y = arrays(name)["y"] if "y" in arrays(name) else np.array(CASES[name].get("y"))
    if name == "cls_adamw_piecewise":
        head = keras.layers.Dense(3, "softmax", name="Head")
        return head(output), y, "sparse_categorical_crossentropy"
    if name == "crf":
        crf = ConditionalRandomField(lr_multiplier=10, name="CRF")
        return crf(keras.layers.Dense(5, name="Head")(output)), y, original_crf(crf)
    if name == "egp_adafactor":
        head = EfficientGlobalPointer(2, 8, name="Head")
        return head(output), y, GlobalPointerCrossentropy(head_reduction="mean")
    if name == "albert_mlm_lamb_accum":
        return output, y, masked_tokens
    tokens = case.inputs[case.meta["input_names"][-2 if "unilm" in name else -1]]
    weights = case.inputs["Input-Segment"] if "unilm" in name else tokens != 0
    y = np.stack([tokens, weights], axis=-1).astype("int32")
    return output, y, functools.partial(following_tokens, None)


def losses(name, optimizer, steps=8):
    case = Case(CASES[name]["from"])
    t = case.build(dropout_rate=0.0, attention_dropout_rate=0.0)
    output, y, loss = task(name, case, t.model.output)
    model = keras.Model(t.model.inputs, output)
    for key, value in arrays(name).items():
        if key.startswith("init/"):
            layer, index = key.removeprefix("init/").split("|")
            model.get_layer(layer).trainable_weights[int(index)].assign(value)
    model.compile(optimizer, loss)
    inputs = case.model_inputs()
    return [float(model.train_on_batch(inputs, y)) for _ in range(steps)]


QUICK = {"cls_adamw_piecewise"}
FIRST_FIVE = [
    pytest.param(name, marks=() if name in QUICK else pytest.mark.slow)
    for name in CASES
    if name != "albert_mlm_lamb_accum"
]


@pytest.mark.parametrize("name", FIRST_FIVE)
def test_recorded_losses(name):
    base, *extensions = CASES[name]["optimizer"]
    optimizer = stacked(base, *extensions)(**CASES[name]["optimizer_kwargs"])
    found = losses(name, optimizer)
    np.testing.assert_allclose(found, CASES[name]["loss"], rtol=5e-5)


@pytest.mark.slow
def test_accumulated_lamb_takes_effect_one_batch_earlier():
    """The batch is the same at every step, so that a group's mean is its gradient.

    Group j = 0, 1, .. changes the loss from batch 2 j + 2 on, one earlier than in the
    original. Its factor is that of batch 2 j + 2: exactly the steps of the stack
    without accumulation and with the keys 0, 1 and 9 for 2, 4 and 20. The original's
    bias corrections counted batches, so that its steps of norms and biases were a
    little shorter; the losses are close to it, where a step changes them by 0.5.
    """
    name = "albert_mlm_lamb_accum"
    base, *extensions = CASES[name]["optimizer"]
    kwargs, recorded = CASES[name]["optimizer_kwargs"], CASES[name]["loss"]
    found = losses(name, stacked(base, *extensions)(**kwargs))
    kwargs = {**kwargs, "lr_schedule": {0: 0.5, 1: 1.0, 9: 0.1}}
    del kwargs["grad_accum_steps"]
    plain = losses(name, stacked(base, *extensions[:-1])(**kwargs), steps=4)
    np.testing.assert_allclose(found, np.repeat(plain, 2), rtol=2e-5)
    assert found[0] == pytest.approx(recorded[0], rel=1e-5)
    assert recorded[2] - recorded[3] > 0.5
    np.testing.assert_allclose(found[:-1], recorded[1:], atol=0.15)
