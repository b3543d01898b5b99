"""A training that can be killed and started again: `python resumed_training.py ...`.

Arguments: folder of the checkpoints, .npz file for the result, "generator", "bucketed"
or "arrays", seconds to sleep in each step.
"""

import sys
import time

import keras
import numpy as np
from tiny_training import tiny_classifier

from bert4keras3.training import Checkpoint, Evaluation
from bert4keras3.utils.bucketed import BucketedGenerator
from bert4keras3.utils.data import DataGenerator
from bert4keras3.utils.padding import sequence_padding

EPOCHS, BATCH = 3, 4


def samples(count=30):
    rng = np.random.RandomState(5)
    lengths = rng.randint(2, 9, count)
    ids = [rng.randint(1, 6, length).tolist() for length in lengths]
    return [((one,), sum(one) % 3) for one in ids]


class Shuffled(DataGenerator):
    def __iter__(self, random=False):
        batch = []
        for is_end, sample in self.sample(random):
            batch.append(sample)
            if len(batch) == self.batch_size or is_end:
                ids = sequence_padding([ids for (ids,), _ in batch], 8)
                yield ids, np.array([label for _, label in batch])
                batch = []


class Sleep(keras.callbacks.Callback):
    def __init__(self, seconds):
        super().__init__()
        self.seconds = seconds

    def on_train_batch_end(self, batch, logs=None):
        time.sleep(self.seconds)


def source(kind, data=None, ahead=0):
    """(generator or None, arguments of fit)."""
    data = samples() if data is None else data
    if kind == "arrays":
        ids = sequence_padding([ids for (ids,), _ in data], 8)
        labels = np.array([label for _, label in data])
        shuffled = keras.config.backend() != "tensorflow"
        return None, {"x": ids, "y": labels, "batch_size": BATCH, "shuffle": shuffled}
    if kind == "generator":
        made = Shuffled(data, BATCH, seed=3)
    else:
        # tensorflow compiles for lengths it has met, so that bits differ with them.
        buckets = (8,) if keras.config.backend() == "tensorflow" else (4, 8)
        made = BucketedGenerator(data, BATCH, buckets=buckets, seed=3)
    return made, {"x": made.forfit(prefetch=ahead), "steps_per_epoch": 7}


def training(folder, kind="bucketed", extra=(), data=None, every=2, ahead=0, **options):
    """(model, result of fit, evaluation) after all epochs, resumed if there is a save.

    options: those of `Checkpoint`.
    """
    keras.utils.set_random_seed(1)
    model = tiny_classifier(dropout=0.3)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss, metrics=["accuracy"])
    evaluation = Evaluation(lambda model: {"f1": float(np.sum(model.get_weights()[1]))})
    made, arguments = source(kind, data, ahead)
    callbacks = [evaluation, *extra]
    saver = Checkpoint(
        folder, data=made, every=every, callbacks=[evaluation], **options
    )
    callbacks.append(saver)
    history = model.fit(**arguments, epochs=EPOCHS, verbose=0, callbacks=callbacks)
    return model, history, evaluation


def outcome(model, history, evaluation):
    """All numbers of a training, as bytes to compare."""
    arrays = [keras.ops.convert_to_numpy(v) for v in model.variables]
    arrays += [keras.ops.convert_to_numpy(v) for v in model.optimizer.variables]
    told = [history.epoch, history.history, evaluation.best, evaluation.best_epoch]
    return [array.tobytes() for array in arrays], told


if __name__ == "__main__":
    folder, result, kind, seconds = sys.argv[1:]
    ended = training(folder, kind, [Sleep(float(seconds))], ahead=3)
    weights, told = outcome(*ended)
    np.savez(result, *[np.frombuffer(one, "uint8") for one in weights])
