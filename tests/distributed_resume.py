"""Run as a program: processes train together, are cut off, and go on.

python distributed_resume.py PORT NUMBER COUNT MODE FOLDER
MODE: "data" (every process has the whole model and samples of its own) or "model" (it
is cut over all of them). Writes FOLDER/NUMBER.npz: weights and optimizer after a whole
training, "whole/...", and after one that was cut off in its epochs and resumed,
"resumed/...", and the numbers that `fit` told.
"""

import sys

import jax
import keras
import numpy as np
from resumed_training import BATCH, EPOCHS, Shuffled, samples
from tiny_training import tiny_classifier

from bert4keras3.backend.sharding import is_readable, whole
from bert4keras3.training import Checkpoint, Evaluation
from bert4keras3.training.state import variables_of


class Stop(keras.callbacks.Callback):
    """Stands for a power cut: an error after so many steps of all epochs."""

    def __init__(self, steps):
        super().__init__()
        self.steps = steps

    def on_train_batch_begin(self, batch, logs=None):
        self.steps -= 1
        if self.steps < 0:
            raise KeyboardInterrupt


def distribution(mode, count):
    if mode == "data":
        return keras.distribution.DataParallel(auto_shard_dataset=False)
    mesh = keras.distribution.DeviceMesh((1, count), ("batch", "model"))
    layouts = keras.distribution.LayoutMap(mesh)
    layouts[".*hidden.*kernel"] = ("model", None)
    layouts[".*Embedding.*"] = (None, "model")
    return keras.distribution.ModelParallel(
        layout_map=layouts, batch_dim_name="batch", auto_shard_dataset=False
    )


def train(folder, shares, steps=None):
    """None if it is cut off, else (model, {name: numbers of epochs}, evaluation, the
    step of the save that it began with)."""
    number, count = shares
    keras.utils.set_random_seed(1)
    model = tiny_classifier(dropout=0.3)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss, metrics=["accuracy"])
    # Every process has an order of its own.
    data = Shuffled(samples(32)[number::count], BATCH // count, seed=3 + number)
    bias = model.get_layer("logits").bias
    evaluation = Evaluation(lambda model: {"f1": float(np.sum(bias.numpy()))})
    callbacks = [evaluation] if steps is None else [evaluation, Stop(steps)]
    saver = Checkpoint(folder, data, every=2, callbacks=[evaluation])
    callbacks.append(saver)
    begun = saver.trained
    try:
        fit = model.fit(
            data.forfit(),
            steps_per_epoch=len(data),
            epochs=EPOCHS,
            verbose=0,
            callbacks=callbacks,
        )
    except KeyboardInterrupt:
        return None
    return model, fit.history, evaluation, begun


def main(port, number, count, mode, folder):
    number, count = int(number), int(count)
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    keras.distribution.initialize(f"127.0.0.1:{port}", count, number)
    keras.distribution.set_distribution(distribution(mode, count))
    shares = (number, count) if mode == "data" else (0, 1)
    results = {}
    for how, cuts in {"whole": (), "resumed": (3, 9)}.items():
        for steps in cuts:  # 8 an epoch
            assert train(f"{folder}/{how}", shares, steps) is None
        model, history, evaluation, begun = train(f"{folder}/{how}", shares)
        for name, variable in variables_of(model, metrics=False).items():
            results[f"{how}/{name}"] = whole(variable.value)
        told = [*history["loss"], *history["accuracy"], *history["val_f1"]]
        results[f"{how} began"] = begun
        results[f"{how}/told"] = [*told, evaluation.best]
    results["cut"] = sum(not is_readable(one.value) for one in model.variables)
    np.savez(f"{folder}/{number}.npz", **results)


if __name__ == "__main__":
    main(*sys.argv[1:])
