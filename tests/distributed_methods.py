"""Run as a program on eight virtual devices: what the library puts around `fit`.

python distributed_methods.py packed|language|masked FOLDER [cut]
packed: packed rows, FGM, an averaging optimizer, Evaluation, Checkpoint, a run that
is cut off after its first epoch and resumed; language: UniLM's training_model;
masked: masked_training_model; cut: the weights are cut over a mesh of 2 by 4 devices.
Prints JSON: {"alone": what one device scored, "shared": eight, "apart": largest
difference of a weight, "cut": number of weights cut into parts}.
"""

import json
import sys

import keras
import numpy as np
from tiny_models import CONFIG, build

from bert4keras3.models import masked_training_model, model_parallel
from bert4keras3.optimizers import AdamW
from bert4keras3.snippets import PackedGenerator
from bert4keras3.training import (
    FGM,
    Checkpoint,
    EMAEvaluation,
    Evaluation,
    with_methods,
)

EPOCHS, ROWS = 2, 8
SIZES = {
    "with_mlm": "linear", "num_hidden_layers": 1, "vocab_size": 52,
    "num_attention_heads": 4,
}


def samples(count=200):
    rng = np.random.default_rng(0)
    for size in rng.integers(2, 9, count):
        ids = rng.integers(1, 50, size).tolist()
        yield (ids, [0] * size), ids[0] % 3


def packed(folder, epochs):
    """(model, generator, callbacks) of a classifier of packed rows."""
    data = PackedGenerator(list(samples()), ROWS, length=16, seed=0)
    t = build("bert", with_first_token=True, packed=True, num_hidden_layers=1)
    kernel = keras.initializers.RandomNormal(seed=0)
    head = keras.layers.Dense(3, kernel_initializer=kernel)
    model = with_methods(keras.Model(t.model.inputs, head(t.model.output)), FGM(0.1))
    loss = keras.losses.SparseCategoricalCrossentropy(
        True, reduction="mean_with_sample_weight"
    )
    model.compile(AdamW(1e-3, epsilon=1e-6, use_ema=True, ema_momentum=0.9), loss)
    best = Evaluation(lambda model: {"f1": score(model)})
    saver = Checkpoint(folder, data, every=3, callbacks=[best])
    model.fit(
        data.forfit(),
        steps_per_epoch=len(data),
        epochs=epochs,
        verbose=0,
        callbacks=[EMAEvaluation(best), saver],
    )
    return model, [best.best, *(logs["loss"] for _, logs in saver.history)]


def score(model):
    return float(sum(np.abs(one).sum() for one in model.get_weights()))


def language(folder, epochs):
    t = build("bert", "unilm", **SIZES)
    ids, segments = tokens()
    return learned(t.training_model(), [ids, segments], epochs)


def masked(folder, epochs):
    t = build("bert", **SIZES)
    ids, segments = tokens()
    hidden = np.random.default_rng(1).random(ids.shape) < 0.2
    inputs = [np.where(hidden, 49, ids), segments, ids, hidden.astype("float32")]
    return learned(masked_training_model(t), inputs, epochs)


def tokens():
    ids = np.random.default_rng(0).integers(1, 50, (6 * ROWS, 12)).astype("int32")
    return ids, np.tile(np.arange(12) > 5, (6 * ROWS, 1)).astype("int32")


def learned(model, inputs, epochs):
    model.compile(AdamW(1e-3, epsilon=1e-6))
    fit = model.fit(inputs, batch_size=ROWS, epochs=epochs, shuffle=False, verbose=0)
    return model, fit.history["loss"]


def main(name, folder, cut=False):
    trained = {"packed": packed, "language": language, "masked": masked}[name]
    keras.utils.set_random_seed(5)
    model, alone = trained(f"{folder}/alone", EPOCHS)
    expected = model.get_weights()
    keras.distribution.set_distribution(
        model_parallel(model="bert", mesh=(2, 4), **{**CONFIG, **SIZES})
        if cut
        else keras.distribution.DataParallel()
    )
    for epochs in (1, EPOCHS) if name == "packed" else (EPOCHS,):
        keras.utils.set_random_seed(5)
        model, shared = trained(f"{folder}/shared", epochs)
    pairs = zip(expected, model.get_weights(), strict=True)
    apart = max(float(np.abs(one - other).max()) for one, other in pairs)
    parts = sum(not one.value.sharding.is_fully_replicated for one in model.weights)
    found = {"alone": alone, "shared": shared, "apart": apart, "cut": parts}
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
