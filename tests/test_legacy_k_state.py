"""`K`: variables, randomness, phases, and names without a Keras 3 meaning."""

import keras
import numpy as np
import pytest

from bert4keras3.backend import legacy as K
from bert4keras3.backend.legacy_state import NotInKeras3


def test_variables():
    v = K.variable(np.ones((2, 2)))
    K.set_value(v, np.full((2, 2), 3.0))
    K.update(v, v * 2)
    K.update_add(v, K.ones((2, 2)))
    K.update_sub(v, 2.0)
    assert isinstance(K.get_value(v), np.ndarray)
    np.testing.assert_allclose(K.eval(v), np.full((2, 2), 5.0))
    K.moving_average_update(v, K.ones((2, 2)), 0.5)
    K.batch_set_value([(v, K.get_value(v) + 1)])
    np.testing.assert_allclose(K.batch_get_value([v])[0], np.full((2, 2), 4.0))
    with pytest.raises(TypeError, match="expects a variable"):
        K.update(K.ones(2), 1.0)


def test_random_binomial():
    draws = K.eval(K.random_binomial((100, 100), p=0.3, seed=1))
    assert set(np.unique(draws)) == {0.0, 1.0}
    assert abs(draws.mean() - 0.3) < 0.03
    ints = K.eval(K.random_uniform((1000,), 2, 5, dtype="int32", seed=1))
    assert set(np.unique(ints)) == {2, 3, 4}


def test_dropout_keeps_the_mean():
    kept = K.eval(K.dropout(K.ones((100, 100)), 0.25, seed=3))
    assert abs(kept.mean() - 1) < 0.03 and abs(kept.max() - 4 / 3) < 1e-6


def test_train_phase_needs_a_known_phase():
    assert K.in_train_phase(1, lambda: 2, training=True) == 1
    assert K.in_train_phase(1, lambda: 2, training=0) == 2
    with pytest.raises(NotInKeras3, match="training"):
        K.in_train_phase(1, 2)


@pytest.mark.parametrize(
    ("call", "remedy"),
    [
        (lambda x: K.gradients(x, x), "train_step"),
        (lambda x: K.function([x], [x]), "keras.Model"),
        (lambda x: K.learning_phase(), "training"),
        (lambda x: K.placeholder((2,)), "keras.Input"),
        (lambda x: K.get_session(), "K.get_value"),
        (lambda x: K.eval(x), "keras.Model"),
    ],
)
def test_graph_mode_names_say_what_to_use(call, remedy):
    with pytest.raises(NotInKeras3, match=remedy):
        call(keras.Input((4,)))


def test_unknown_name():
    with pytest.raises(AttributeError, match="keras.ops"):
        _ = K.ctc_decode


def test_every_listed_name_exists():
    missing = [name for name in K.__all__ if not hasattr(K, name)]
    assert missing == [] and len(set(K.__all__)) == len(K.__all__)
