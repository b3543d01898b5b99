"""Run as a program on eight virtual devices: 10 steps alone and shared, compared.

python distributed_fit.py FAMILY ROWS COLUMNS  (0 columns: data parallel)
Prints JSON: {"alone": [losses], "shared": [losses], "apart": largest difference of a
weight, "cut": number of weights cut into parts, "state": of those of the optimizer}.
"""

import json
import sys

import keras
import numpy as np
from family_cases import example
from tiny_models import CONFIG, build

from bert4keras3.models import model_parallel
from bert4keras3.optimizers import AdamW, FlushGradients

SIZES = {**CONFIG, "num_hidden_layers": 1, "num_attention_heads": 4}
SIZES.update(vocab_size=52, dropout_rate=0.1)
HEADS = {
    "bert": {"with_mlm": "linear"},
    "gpt": {"final_activation": "linear"},
    "t5.1.1": {"with_lm": "linear", "hidden_act": ["gelu", "linear"]},
}


class Losses(keras.callbacks.Callback):
    """The loss of every step: Keras tells the mean of the epoch so far."""

    def __init__(self):
        super().__init__()
        self.values, self.total = [], 0.0

    def on_train_batch_end(self, batch, logs=None):
        total = float(logs["loss"]) * (batch + 1)
        self.values.append(total - self.total)
        self.total = total


def fit(family, steps=10, rows=8):
    """(losses, weights, parts of a weight of the model and of its optimizer)."""
    keras.utils.set_random_seed(7)
    t = build(family, **{**SIZES, **HEADS[family]})
    parts = [example(t, rows, seed=seed) for seed in range(steps)]
    arrays = [np.concatenate([p[one.name] for p in parts]) for one in t.model.inputs]
    labels = np.roll(arrays[0], -1, axis=1)
    optimizer = AdamW(
        1e-3, epsilon=1e-6, weight_decay=0.01, gradient_accumulation_steps=2
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    t.model.compile(optimizer, loss)
    callback = Losses()
    t.model.fit(
        arrays if len(arrays) > 1 else arrays[0],
        labels,
        batch_size=rows,
        shuffle=False,
        verbose=0,
        callbacks=[callback, FlushGradients()],
    )
    weights = {name: np.asarray(v.value) for name, v in t.variables().items()}
    cut = [
        sum(not one.value.sharding.is_fully_replicated for one in variables)
        for variables in (t.model.trainable_variables, optimizer.variables)
    ]
    return callback.values, weights, cut


def main(family, *mesh):
    alone, weights, _ = fit(family)
    mesh = tuple(map(int, mesh))
    keras.distribution.set_distribution(
        model_parallel(model=family, mesh=mesh, **{**SIZES, **HEADS[family]})
        if mesh[1]
        else keras.distribution.DataParallel()
    )
    shared, changed, cut = fit(family)
    apart = max(np.abs(changed[name] - weights[name]).max() for name in weights)
    print(
        json.dumps(
            {"alone": alone, "shared": shared, "apart": float(apart)}
            | {"cut": cut[0], "state": cut[1]}
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
