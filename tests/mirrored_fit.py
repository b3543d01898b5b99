"""Run as a program on tensorflow: two mirrored CPU devices learn what one learns.

Prints JSON: {"alone": [losses], "shared": [losses], "apart": largest difference of a
weight that the loss depends on}, for the optimizer named by the argument.
"""

import json
import sys

import keras
import numpy as np
import tensorflow as tf
from tiny_models import CONFIG, build

import bert4keras3.optimizers as optimizers

MAKERS = {
    "keras": lambda: keras.optimizers.AdamW(1e-3),
    "AdamW": lambda: optimizers.AdamW(1e-3),
    "Lamb": lambda: optimizers.Lamb(1e-3),
    "AdaFactor": lambda: optimizers.AdaFactor(1e-3),
    "accumulation": lambda: optimizers.AdamW(1e-3, gradient_accumulation_steps=2),
    "average": lambda: optimizers.AdamW(1e-3, use_ema=True, ema_momentum=0.9),
}


def data(steps, rows=8, length=8):
    generator = np.random.default_rng(0)
    ids = generator.integers(1, CONFIG["vocab_size"], (steps * rows, length))
    x = (ids.astype("int32"), np.zeros_like(ids, dtype="int32"))
    return tf.data.Dataset.from_tensor_slices((x, np.roll(ids, 1, axis=1))).batch(rows)


def fit(strategy, name, steps=6):
    keras.utils.set_random_seed(3)
    with strategy.scope():
        t = build("bert", with_mlm="linear", num_hidden_layers=1)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        t.model.compile(MAKERS[name](), loss, jit_compile=False)
    losses = []

    class Kept(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            losses.append(float(logs["loss"]) * (batch + 1) - sum(losses))

    t.model.fit(data(steps), verbose=0, callbacks=[Kept()])
    weights = {name: np.array(v.value) for name, v in t.variables().items()}
    return losses, weights


def main(name):
    device = tf.config.list_physical_devices("CPU")[0]
    logical = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(device, logical)
    alone, weights = fit(tf.distribute.get_strategy(), name)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    shared, changed = fit(strategy, name)
    # Softmax does not see the bias of the keys: its gradient is noise, which some
    # optimizers scale up to whole steps.
    seen = [name for name in weights if not name.endswith("/k/bias")]
    apart = max(np.abs(changed[name] - weights[name]).max() for name in seen)
    print(json.dumps({"alone": alone, "shared": shared, "apart": float(apart)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
