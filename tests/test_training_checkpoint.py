"""Checkpoint: a training that was cut off goes on as if it had not been."""

import keras
import numpy as np
import pytest
from resumed_training import Shuffled, outcome, samples, training

from bert4keras3.checkpoints.errors import CheckpointError
from bert4keras3.training import Checkpoint, EMAEvaluation, Evaluation
from bert4keras3.utils.bucketed import BucketedGenerator


class Stop(keras.callbacks.Callback):
    """Stands for a power cut: an error after so many steps of all epochs."""

    def __init__(self, steps):
        super().__init__()
        self.steps = steps

    def on_train_batch_begin(self, batch, logs=None):
        if not self.steps:
            raise KeyboardInterrupt
        self.steps -= 1


def cut(folder, steps, kind="bucketed", **options):
    with pytest.raises(KeyboardInterrupt):
        training(folder, kind, [Stop(steps)], **options)


slow = pytest.mark.slow


@pytest.mark.parametrize("kind", ["bucketed", "arrays"])
def test_resumed_is_uninterrupted(kind, tmp_path):
    whole = outcome(*training(tmp_path / "whole", kind))
    folder = tmp_path / "cut"
    cut(folder, 12, kind)
    assert outcome(*training(folder, kind)) == whole


@pytest.mark.parametrize("steps", [8, *(pytest.param(n, marks=slow) for n in (2, 7))])
def test_cut_anywhere_and_twice(steps, tmp_path):
    whole = outcome(*training(tmp_path / "whole", "generator"))
    folder = tmp_path / "cut"
    cut(folder, steps, "generator", every=1)
    cut(folder, 10, "generator", every=3)
    assert outcome(*training(folder, "generator", every=1)) == whole
    assert len(list(folder.iterdir())) == 2
    again = outcome(*training(folder, "generator"))  # finished: nothing is trained
    assert again == whole


def test_saves_replace_each_other_and_torn_ones_go(tmp_path):
    (tmp_path / ".step-000000001.safetensors.0123.tmp").write_bytes(b"torn")
    training(tmp_path, "generator", keep=1)
    assert [path.name for path in tmp_path.iterdir()] == ["step-000000021.safetensors"]


def test_other_data_are_an_error(tmp_path):
    cut(tmp_path, 2)
    with pytest.raises(ValueError, match="samples was 30. Received: 31"):
        training(tmp_path, data=samples(31))
    with pytest.raises(ValueError, match="not the one trained on"):
        training(tmp_path, data=samples()[::-1])
    with pytest.raises(ValueError, match="batch_size was 4. Received: 5"):
        BucketedGenerator(samples(), 5, seed=3).recorded(
            Checkpoint(tmp_path).saved["data"]
        )
    with pytest.raises(ValueError, match="generator was"):
        training(tmp_path, "generator")
    with pytest.raises(ValueError, match="another training"):
        training(tmp_path, "arrays")


def test_another_model_is_an_error(tmp_path):
    cut(tmp_path, 3, "arrays")
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(3)])
    fit = {"x": np.ones((30, 8)), "y": np.ones((30, 3)), "batch_size": 4, "verbose": 0}
    for optimizer, match in [
        ("adam", "another model"),
        ("sgd", "optimizer was 'Adam'"),
    ]:
        model.compile(optimizer, "mse")
        saver = Checkpoint(tmp_path)
        saver.saved["callback types"] = []
        with pytest.raises(ValueError, match=match):
            model.fit(**fit, epochs=4, callbacks=[saver])
    with pytest.raises(ValueError, match="steps was 8. Received: 6"):
        model.fit(**{**fit, "batch_size": 5}, callbacks=[saver_of(tmp_path)])


def saver_of(folder):
    saver = Checkpoint(folder)
    saver.saved["callback types"], saver.saved["optimizer"] = [], "SGD"
    return saver


def test_numbers_of_inner_callbacks_are_kept(tmp_path):
    inner = Evaluation(len)
    outer = EMAEvaluation(inner)
    assert Checkpoint(tmp_path, callbacks=[outer]).callbacks == [outer, inner]


def test_a_damaged_save_says_what_to_do(tmp_path):
    (tmp_path / "step-000000003.safetensors").write_bytes(b"torn")
    with pytest.raises(CheckpointError, match="Remove .*step-000000003.* before"):
        Checkpoint(tmp_path)


def test_mistakes_are_errors(tmp_path):
    with pytest.raises(ValueError, match="every must be"):
        Checkpoint(tmp_path, every=0)
    with pytest.raises(ValueError, match="keep must be"):
        Checkpoint(tmp_path, keep=None)
    stopping = keras.callbacks.EarlyStopping(restore_best_weights=True)
    with pytest.raises(ValueError, match="Evaluation"):
        Checkpoint(tmp_path, callbacks=[stopping])
    with pytest.raises(TypeError, match="numbers"):
        Checkpoint(tmp_path, data=BucketedGenerator(iter(samples()), 4))
    recorded = Shuffled(samples(), 4, seed=0)
    recorded.recorded()
    next(recorded.forfit())
    with pytest.raises(RuntimeError, match="two streams"):
        next(recorded.forfit())
    with pytest.raises(RuntimeError, match="same generator"):
        Shuffled(samples(), 4).recorded().at(0)
