"""One training of one task with one seed: resumable, measured, answers written."""

import gc
import json
import shutil
import time
from pathlib import Path

import keras

from bert4keras3.checkpoints.atomic import atomic_path
from bert4keras3.training import Checkpoint, Evaluation
from examples.clue import memory
from examples.clue.submission import write_answers


class Clock(keras.callbacks.Callback):
    """Seconds in training steps, and points (step, loss) of a learning curve.

    points: at most so many. Both go on where a `Checkpoint` left them.
    """

    def __init__(self, steps: int, points: int = 200):
        super().__init__()
        self.every = max(1, steps // points)
        self.seconds, self.steps, self.curve = 0.0, 0, []

    def on_train_batch_begin(self, batch, logs=None):
        self.begun = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        self.steps += 1
        if self.steps % self.every == 0:
            self.curve.append([self.steps, float(logs["loss"])])
        self.seconds += time.perf_counter() - self.begun


def finished(folder) -> dict | None:
    """The result of a finished training, or None."""
    path = Path(folder) / "result.json"
    return json.loads(path.read_text("utf-8")) if path.is_file() else None


def train(task, seed: int, folder, every: int = 200, verbose: int = 2) -> dict:
    """Train a task, write the answers to its test files, return what was measured.

    folder: of this task and seed; what is finished there is not done again, and what
    was interrupted goes on where it was last saved; every: steps between saves.
    """
    folder = Path(folder)
    known = finished(folder)
    if known is not None:
        return known
    folder.mkdir(parents=True, exist_ok=True)
    keras.utils.clear_session()
    gc.collect()
    keras.utils.set_random_seed(seed)
    memory.reset()
    samples = {part: task.split(part) for part in ("train", "dev")}
    features = {part: task.encode(rows) for part, rows in samples.items()}
    model, clock, evaluation = fit(
        task, seed, folder, samples, features, every, verbose
    )
    model.load_weights(evaluation.filepath)
    for path, name in task.test_files().items():
        tests = task.read(path, labelled=False)
        found = task.predict(model, task.encode(tests))
        write_answers(folder / name, task.answers(tests, found))
    result = summary(task, seed, samples, clock, evaluation)
    with atomic_path(folder / "result.json") as path:
        path.write_text(json.dumps(result, ensure_ascii=False, indent=1), "utf-8")
    shutil.rmtree(folder / "checkpoint")
    evaluation.filepath.unlink()
    return result


def fit(task, seed, folder, samples, features, every, verbose):
    """(model, clock, evaluation) after the training."""
    generator = task.batches(features["train"], seed)
    steps = len(generator) * task.epochs
    model, clock = task.build(steps), Clock(steps)

    def evaluate(model):
        return task.score(samples["dev"], task.predict(model, features["dev"]))

    evaluation = Evaluation(evaluate, task.metric, folder / "best.weights.h5")
    kept = [clock, evaluation]
    saver = Checkpoint(folder / "checkpoint", generator, every, 1, kept)
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
