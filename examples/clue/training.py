"""One training of one task with one seed: resumable, measured, answers written."""

import gc
import shutil
import time
from pathlib import Path

import keras

from bert4keras3.extraction.jsonl import read_json
from bert4keras3.training import Checkpoint, Evaluation
from examples.clue import memory
from examples.clue.folder import write_json
from examples.clue.submission import write_answers

BEST = "best.weights.h5"


class Clock(keras.callbacks.Callback):
    """Seconds in training steps, and points (step, loss) of a learning curve.

    points: at most so many, each the mean since the one before. Both go on where a
    `Checkpoint` left them.
    """

    def __init__(self, steps: int, points: int = 200):
        super().__init__()
        self.every = max(1, -(-steps // points))
        self.seconds, self.steps, self.curve = 0.0, 0, []
        self.epoch_total = self.total = 0.0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch_total = 0.0

    def on_train_batch_begin(self, batch, logs=None):
        self.begun = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        # Keras tells the mean of the epoch so far. Reading it waits for the device,
        # so that the seconds are those of the step.
        epoch_total = float(logs["loss"]) * (batch + 1)
        self.total += epoch_total - self.epoch_total
        self.epoch_total = epoch_total
        self.steps += 1
        if self.steps % self.every == 0:
            self.curve.append([self.steps, self.total / self.every])
            self.total = 0.0
        self.seconds += time.perf_counter() - self.begun


def finished(folder) -> dict | None:
    """The result of a finished training, or None."""
    path = Path(folder) / "result.json"
    return read_json(path) if path.is_file() else None


def train(task, seed: int, folder, every: int = 200, verbose: int = 2) -> dict:
    """Train a task, write the answers to its test files, return what was measured.

    folder: of this task and seed; what is finished there is not done again, and what
    was interrupted goes on where it was last saved; every: steps between saves;
    verbose: 1 is Keras's progress bar, 2 a line for each epoch, 0 nothing.
    """
    folder = Path(folder)
    result = finished(folder)
    if result is None:
        folder.mkdir(parents=True, exist_ok=True)
        keras.utils.clear_session()
        gc.collect()
        keras.utils.set_random_seed(seed)
        memory.reset()
        result = measured(task, seed, folder, every, verbose)
        write_json(folder / "result.json", result)
    # Only now: what is needed to go on stays until the result is there.
    shutil.rmtree(folder / "checkpoint", ignore_errors=True)
    (folder / BEST).unlink(missing_ok=True)
    return result


def measured(task, seed, folder, every, verbose) -> dict:
    """Train, answer with the weights of the best epoch; returns the result."""
    samples = {part: task.split(part) for part in ("train", "dev")}
    features = {part: task.encode(rows) for part, rows in samples.items()}
    model, clock, evaluation = fit(
        task, seed, folder, samples, features, every, verbose
    )
    model.load_weights(folder / BEST)
    for path, name in task.test_files().items():
        tests = task.read(path, labelled=False)
        found = task.predict(model, task.encode(tests))
        write_answers(folder / name, task.answers(tests, found))
    return summary(task, seed, samples, clock, evaluation)


def fit(task, seed, folder, samples, features, every, verbose):
    """(model, clock, evaluation) after the training."""
    generator = task.batches(features["train"], seed)
    steps = len(generator) * task.epochs
    model, clock = task.build(steps), Clock(steps)

    def evaluate(model):
        return task.score(samples["dev"], task.predict(model, features["dev"]))

    evaluation = Evaluation(evaluate, task.metric, folder / BEST)
    kept = [clock, evaluation]
    saver = Checkpoint(folder / "checkpoint", generator, every, 1, kept)
    if saver.trained:
        print(f"{task.name}, seed {seed}: goes on after step {saver.trained}")
    history = model.fit(
        generator.forfit(),
        steps_per_epoch=len(generator),
        epochs=task.epochs,
        callbacks=[*kept, saver],
        shuffle=False,  # the generator does it
        verbose=verbose,
    ).history
    clock.scores = history["val_" + task.metric]
    return model, clock, evaluation


def summary(task, seed, samples, clock, evaluation) -> dict:
    """What result.json holds; scores from 0 to 1."""
    guess = task.majority(samples["train"], samples["dev"])
    trained = len(samples["train"]) * task.epochs
    return {
        "task": task.name,
        "seed": seed,
        "metric": task.metric,
        "score": evaluation.best,
        "scores": evaluation.best_result,
        "best_epoch": evaluation.best_epoch + 1,
        "majority": task.score(samples["dev"], guess)[task.metric],
        "samples": {part: len(rows) for part, rows in samples.items()},
        "epochs": task.epochs,
        "seconds": clock.seconds,
        "examples_per_second": trained / clock.seconds,
        "peak_memory_mb": memory.peak_mb(),
        "curve": {"loss": clock.curve, "score": clock.scores},
    }
