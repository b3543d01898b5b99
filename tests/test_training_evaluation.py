"""A whole-dev-set evaluation after each epoch, seen by everything else in `fit`."""

import keras
import numpy as np
import pytest

from bert4keras3.extraction import Entity, span_f1
from bert4keras3.training import Evaluation


@pytest.fixture
def model():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


def fit(model, *callbacks, epochs=4):
    x, y = np.ones((8, 2), "float32"), np.ones((8, 1), "float32")
    return model.fit(x, y, epochs=epochs, verbose=0, callbacks=list(callbacks))


def test_numbers_reach_history_and_the_best_weights_are_kept(model, tmp_path):
    values, seen = iter([0.1, 0.7, 0.5, 0.6]), []

    def evaluate(model):
        seen.append(model.get_weights()[0].copy())
        return {"f1": next(values), "recall": 1.0}

    callback = Evaluation(evaluate, filepath=tmp_path / "best.weights.h5")
    history = fit(model, callback)
    assert history.history["val_f1"] == [0.1, 0.7, 0.5, 0.6]
    assert (callback.best, callback.best_epoch) == (0.7, 1)
    assert callback.best_result == {"f1": 0.7, "recall": 1.0}
    model.load_weights(tmp_path / "best.weights.h5")
    np.testing.assert_array_equal(model.get_weights()[0], seen[1])


def test_scores_of_types_are_kept_but_not_logged(model):
    gold = [[Entity(0, 1, "a"), Entity(1, 2, "b")]]
    callback = Evaluation(lambda model: span_f1(gold, [gold[0][:1]]))
    history = fit(model, callback, epochs=1).history
    assert abs(history["val_f1"][0] - 2 / 3) < 1e-6 and "val_types" not in history
    assert callback.best_result["types"]["b"]["recall"] == 0.0


def test_other_callbacks_stop_by_it(model):
    values = iter([3.0, 1.0, 2.0, 0.5])
    callback = Evaluation(lambda model: {"loss": next(values)}, "loss", mode="min")
    stop = keras.callbacks.EarlyStopping("val_loss", patience=1, mode="min")
    assert len(fit(model, callback, stop).epoch) == 3
    assert callback.best == 1.0


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"mode": "best"}, "mode"),
        ({"filepath": "best_model.weights"}, "weights.h5"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        Evaluation(lambda model: {}, **arguments)


@pytest.mark.parametrize(
    "result, message",
    [
        ({"F1": 1.0}, "monitor='f1'"),
        ({"f1": float("nan")}, "finite"),
        ({"f1": {"a": 1.0}}, "finite"),
    ],
)
def test_what_evaluate_returns_is_checked(model, result, message):
    with pytest.raises(ValueError, match=message):
        fit(model, Evaluation(lambda model: result), epochs=1)
