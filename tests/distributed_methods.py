"""Run as a program on eight virtual devices: what the library puts around `fit`.

python distributed_methods.py packed|language FOLDER
packed: packed rows, FGM, an averaging optimizer, Evaluation, Checkpoint, a run that
is cut off after its first epoch and resumed; language: UniLM's training_model.
Prints JSON: {"alone": what one device scored, "shared": eight, "apart": largest
difference of a weight}.
"""

import json
import os
import sys

os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=8"

import keras
import numpy as np
from tiny_models import build

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
    t = build("bert", "unilm", with_mlm="linear", num_hidden_layers=1)
    model = t.model.training_model()
    rng = np.random.default_rng(0)
    ids = rng.integers(1, 50, (6 * ROWS, 12)).astype("int32")
    segments = np.tile(np.arange(12) > 5, (6 * ROWS, 1)).astype("int32")
    model.compile(AdamW(1e-3, epsilon=1e-6))
    fit = model.fit(
        [ids, segments], batch_size=ROWS, epochs=epochs, shuffle=False, verbose=0
    )
    return model, fit.history["loss"]


def main(name, folder):
    trained = {"packed": packed, "language": language}[name]
    keras.utils.set_random_seed(5)
    model, alone = trained(f"{folder}/alone", EPOCHS)
    expected = model.get_weights()
    keras.distribution.set_distribution(keras.distribution.DataParallel())
    for epochs in (1, EPOCHS) if name == "packed" else (EPOCHS,):
        keras.utils.set_random_seed(5)
        model, shared = trained(f"{folder}/shared", epochs)
    pairs = zip(expected, model.get_weights(), strict=True)
    apart = max(float(np.abs(one - other).max()) for one, other in pairs)
    print(json.dumps({"alone": alone, "shared": shared, "apart": apart}))


if __name__ == "__main__":
    main(*sys.argv[1:])
