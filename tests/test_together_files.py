"""Models, adapters and evaluations of several processes: files of the first one."""

import keras
import numpy as np
import pytest
from keras import ops
from pretended import in_processes
from tiny_models import build

from bert4keras3.backend import sharding
from bert4keras3.checkpoints.errors import CheckpointError
from bert4keras3.layers.adapters import adapted_layers
from bert4keras3.models import weights
from bert4keras3.training import Evaluation
from bert4keras3.training.tensorboard import TensorBoardLog


def savers(folder):
    """{what: function of a model that saves it}."""
    return {
        "hf": lambda t: t.save(folder),
        "vocab": lambda t: t.save(folder, vocab=folder / "gone.txt"),
        "adapter": lambda t: t.save_adapter(folder / "a.safetensors"),
        "tf": lambda t: t.save_weights_as_checkpoint(folder / "file" / "model.ckpt"),
    }


@pytest.mark.parametrize(
    "what, kind",
    [
        ("hf", ValueError),
        ("vocab", FileNotFoundError),
        ("adapter", CheckpointError),
        ("tf", OSError),
    ],
)
def test_saving_succeeds_or_fails_in_all(what, kind, monkeypatch, tmp_path):
    t = build("bert")
    t.enable_lora(2)
    save = savers(tmp_path)[what]
    if what in ("hf", "adapter"):
        first, second = in_processes(monkeypatch, 2, lambda number: save(t))
        assert str(first) == str(second)
        assert any(tmp_path.iterdir())
    (tmp_path / "file").write_bytes(b"")
    for error in in_processes(monkeypatch, 2, lambda number: save(t)):
        assert isinstance(error, kind), error


def test_a_process_that_does_not_write_keeps_nothing(monkeypatch, tmp_path):
    t, seen = build("bert"), []
    monkeypatch.setattr(
        "bert4keras3.models.saving.write_checkpoint",
        lambda path, arrays, **_: seen.append(len(arrays)),
    )
    monkeypatch.setattr(
        "bert4keras3.models.saving.by_first", lambda write: seen.append(write())
    )
    in_processes(monkeypatch, 2, lambda number: t.save(tmp_path, overwrite=True))
    assert sorted(one for one in seen if one is not None) == [0, len(t.variables())]


def values(t):
    return {name: ops.convert_to_numpy(v.value) for name, v in t.variables().items()}


@pytest.mark.parametrize("format", ["hf", "tf"])
def test_damage_that_one_process_sees_is_told_to_all(format, monkeypatch, tmp_path):
    build("bert", seed=1).save(tmp_path, format=format)
    end = {"hf": "model.safetensors", "tf": "bert_model.ckpt.data-00000-of-00001"}
    path = tmp_path / end[format]
    damaged = bytearray(path.read_bytes())
    damaged[-1] ^= 1
    path.write_bytes(damaged)
    models = [build("bert"), build("bert")]
    expected = values(models[0])
    monkeypatch.setattr(weights, "is_elsewhere", lambda _: True)
    monkeypatch.setattr(sharding, "spans_processes", lambda _: True)
    for error in in_processes(monkeypatch, 2, lambda n: models[n].load(tmp_path)):
        assert isinstance(error, CheckpointError)
    for t in models:
        for name, value in values(t).items():
            np.testing.assert_array_equal(value, expected[name])


def test_an_adapter_that_one_process_cannot_read(monkeypatch, tmp_path):
    saved = build("bert")
    saved.enable_lora(2)
    paths = [saved.save_adapter(tmp_path / "a.safetensors"), tmp_path / "gone"]
    models = [build("bert"), build("bert")]
    monkeypatch.setattr(sharding, "spans_processes", lambda _: True)

    def run(number):
        models[number].load_adapter(paths[number])

    for error in in_processes(monkeypatch, 2, run):
        assert isinstance(error, OSError | ValueError) and "gone" in str(error)
    for t in models:
        assert not list(adapted_layers(t.layers.values()))


def test_evaluations_agree_and_the_first_writes(monkeypatch, tmp_path):
    path, written = tmp_path / "best.weights.h5", []
    numbers = [[3.0, 1.0, 4.0], [1.0, 2.0, 0.5]]  # those of the second are no matter

    def run(number):
        told = iter(numbers[number])
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        monkeypatch.setattr(
            model, "save_weights", lambda *_, **__: written.append(number)
        )
        model.compile("sgd", "mse")
        one = Evaluation(lambda model: {"f1": next(told), "types": {}}, filepath=path)
        one.set_model(model)
        logs = [{} for _ in range(3)]
        for epoch in range(3):
            one.on_epoch_end(epoch, logs[epoch])
        return one.best, one.best_epoch, [log["val_f1"] for log in logs]

    found = in_processes(monkeypatch, 2, run)
    assert found == [(4.0, 2, [3.0, 1.0, 4.0])] * 2
    assert written == [0, 0]


def test_an_evaluation_that_fails_in_one(monkeypatch):
    def run(number):
        one = Evaluation(lambda model: {"f1": float("nan" if number else 1)})
        one.set_model(keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]))
        one.on_epoch_end(0, {})

    for error in in_processes(monkeypatch, 2, run):
        assert isinstance(error, ValueError) and "finite" in str(error)


def test_curves_are_those_of_the_first(monkeypatch, tmp_path):
    pytest.importorskip("tensorboard")

    def run(number):
        log = TensorBoardLog(tmp_path / str(number))
        log.on_train_begin()
        log.on_epoch_end(0, {"loss": 1.0})
        log.on_train_end()

    assert in_processes(monkeypatch, 2, run) == [None, None]
    assert [one.name for one in tmp_path.iterdir()] == ["0"]
