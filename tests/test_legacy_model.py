"""`models.Model` takes what scripts gave a Keras 2 model; star imports; K.random."""

import keras
import numpy as np
import pytest
from tiny_models import batch, shared

from bert4keras3 import layers, models
from bert4keras3.backend import K, get_available_gpus, recompute_grad
from bert4keras3.layers import Dense, Layer, Loss
from bert4keras3.models import Model


def regression():
    x = keras.Input((3,))
    model = Model(x, Dense(1)(x))
    model.compile("sgd", "mse")
    return model


def test_files_of_weights_may_have_any_name(tmp_path):
    model, other = regression(), regression()
    for name, file in (("best.weights", "best.weights.h5"), ("m", "m.weights.h5")):
        with pytest.warns(UserWarning, match=file):
            model.save_weights(tmp_path / name)
        assert (tmp_path / file).exists()
        with pytest.warns(UserWarning, match=file):
            other.load_weights(tmp_path / name)
        np.testing.assert_array_equal(model.get_weights()[0], other.get_weights()[0])
    other.load_weights(tmp_path / "m.weights.h5")  # a plain name says nothing


def test_generators_by_their_old_names():
    model, x = regression(), np.ones((2, 3))

    def batches():
        while True:
            yield x, np.zeros((2, 1))

    with pytest.warns(DeprecationWarning, match="fit takes generators"):
        history = model.fit_generator(batches(), 2, 1, verbose=0, workers=4)
    assert len(history.history["loss"]) == 1
    with pytest.warns(DeprecationWarning, match="evaluate takes generators"):
        assert np.isfinite(model.evaluate_generator(batches(), steps=1))
    with pytest.warns(DeprecationWarning, match="predict takes generators"):
        inputs = ((x,) for _ in range(2))
        assert model.predict_generator(inputs, 2).shape == (4, 1)


def test_nested_lists():
    model = regression()
    with pytest.warns(UserWarning, match="to_array"):
        rows = model.predict([[1, 2, 3], [4, 5, 6]], verbose=0)
    with pytest.warns(UserWarning, match="to_array"):
        same = model.predict_on_batch([[[1, 2, 3], [4, 5, 6]]])
    np.testing.assert_allclose(rows, same, rtol=1e-6)
    ids, segments = (x.tolist() for x in batch())
    with pytest.warns(UserWarning), pytest.raises(ValueError, match="2 input.*1 list"):
        shared().model.predict([ids])
    with pytest.warns(UserWarning), pytest.raises(ValueError, match="sequence_padding"):
        shared().model.predict([[[1, 2], [3]], segments])


def test_a_whole_model_is_read_back_as_what_it_was(tmp_path):
    model = shared().model
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    assert type(again) is type(model) is Model
    expected = model.predict(batch(), verbose=0)
    np.testing.assert_allclose(again.predict(batch(), verbose=0), expected, atol=1e-6)


def test_a_training_function_cannot_be_wrapped():
    with pytest.raises(K.NotInKeras3, match="bert4keras3.training"):
        regression()._make_train_function()


def test_star_imports_give_what_they_gave():
    """And nothing that would hide a script's own names, such as config."""
    for module, extra in ((layers, set()), (models, {"RoFormerV2", "T5_Decoder"})):
        names = {}
        exec(f"from {module.__name__} import *", names)
        names.pop("__builtins__")
        wanted = {"K", "keras", "Layer", "Lambda", "GlobalPointer", "initializers"}
        assert wanted | extra <= set(names)
        assert not {"config", "backend", "layers", "weights", "models"} & set(names)
        assert not [name for name in names if name.startswith("_")]
    assert layers.Dense is Dense  # ours, not Keras's
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        layers.Nothing  # noqa: B018


def test_a_layer_with_its_own_config_may_keep_its_arguments_elsewhere():
    class Scaled(Layer):
        def __init__(self, factor, **kwargs):
            super().__init__(**kwargs)
            self.times = factor

        def get_config(self):
            return {**super().get_config(), "factor": self.times}

    assert Scaled.from_config(Scaled(3).get_config()).times == 3


def test_numbers_reach_a_loss_as_floats():
    seen = {}

    class Watching(Loss):
        def compute_loss(self, inputs, mask=None):
            seen.update(
                enumerate(keras.backend.standardize_dtype(x.dtype) for x in inputs)
            )
            return keras.ops.sum(inputs[0] * inputs[1])

    inputs = [keras.Input((3,), dtype=d) for d in ("int32", "float16", "bool")]
    outputs = Watching()(inputs)
    assert seen == {0: "float32", 1: "float32", 2: "bool"}
    assert [x.dtype for x in outputs] == ["int32", "float16", "bool"]


def test_names_without_use():
    def call(self, inputs):
        return inputs

    with pytest.warns(DeprecationWarning, match="keras.remat"):
        assert recompute_grad(call) is call
    assert isinstance(get_available_gpus(), list)
