"""CRF and MEMM inside a model: trained, decoded, saved with their losses, loaded."""

import keras
import numpy as np
import pytest
from keras import ops

from bert4keras3.layers import (
    ConditionalRandomField,
    Embedding,
    MaximumEntropyMarkovModel,
)

LABELS, WORDS = 3, 12
LAYERS = {"crf": ConditionalRandomField, "memm": MaximumEntropyMarkovModel}


def data(rows=32, steps=9):
    """Ids padded with 0; the label is the id modulo 3, but 1 never follows 1."""
    rng = np.random.default_rng(0)
    ids = rng.integers(1, WORDS, (rows, steps))
    ids[np.arange(steps) >= rng.integers(3, steps + 1, rows)[:, None]] = 0
    labels = ids % LABELS
    for t in range(1, steps):
        labels[(labels[:, t] == 1) & (labels[:, t - 1] == 1), t] = 2
    return ids, np.where(ids > 0, labels, 0)


def model_of(kind, dense=False, name=None, optimizer=None):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((None,), dtype="int32")
    x = Embedding(WORDS, 8, mask_zero=True)(inputs)
    top = LAYERS[kind](lr_multiplier=2, name=name)
    model = keras.Model(inputs, top(keras.layers.Dense(LABELS)(x)))
    loss = top.dense_loss if dense else top.sparse_loss
    accuracy = top.dense_accuracy if dense else top.sparse_accuracy
    model.compile(optimizer or keras.optimizers.Adam(0.05), loss, metrics=[accuracy])
    return model, top


@pytest.mark.parametrize("dense", [False, True], ids=["sparse", "dense"])
@pytest.mark.parametrize("kind", sorted(LAYERS))
def test_fit_learns_also_the_transitions(kind, dense):
    model, top = model_of(kind, dense)
    ids, labels = data()
    y = np.eye(LABELS, dtype="float32")[labels] if dense else labels
    before = ops.convert_to_numpy(top.trans)
    # Two lengths: the compiled step must not depend on the first one.
    model.fit(ids[:, :6], y[:, :6], epochs=1, verbose=0)
    losses = model.fit(ids, y, epochs=12, verbose=0).history["loss"]
    assert np.isfinite(losses).all() and losses[-1] < losses[0] / 2
    after = ops.convert_to_numpy(top.trans)
    assert (after != before).all()
    assert after[1, 1] < before[1, 1]
    found = top.decode(model.predict(ids, verbose=0))
    real = ids > 0
    assert (found[~real] == -1).all()
    assert (found == labels)[real].mean() > 0.8
    loss, accuracy = model.evaluate(ids, y, verbose=0)
    assert np.isfinite(loss) and 0 < accuracy <= 1


@pytest.mark.parametrize("kind", sorted(LAYERS))
def test_a_saved_model_trains_on(kind, tmp_path):
    model, top = model_of(kind, name=f"{kind}_saved")
    ids, labels = data()
    model.fit(ids, labels, verbose=0)
    path = tmp_path / "model.keras"
    model.save(path)
    known = model.evaluate(ids, labels, verbose=0)
    loaded = keras.models.load_model(path)
    layer = loaded.get_layer(f"{kind}_saved")
    assert layer is not top and layer.lr_multiplier == 2
    np.testing.assert_allclose(loaded.evaluate(ids, labels, verbose=0), known, 1e-6)
    before = ops.convert_to_numpy(layer.trans)
    untouched = ops.convert_to_numpy(top.trans)
    np.testing.assert_array_equal(before, untouched)
    loaded.fit(ids, labels, verbose=0)
    assert (ops.convert_to_numpy(layer.trans) != before).all()
    np.testing.assert_array_equal(ops.convert_to_numpy(top.trans), untouched)


def test_a_loss_without_its_layer_says_what_to_do():
    made = ConditionalRandomField(name="once")
    crf = ConditionalRandomField.from_config(made.get_config())
    config = keras.saving.serialize_keras_object(crf.sparse_loss)
    again = keras.saving.deserialize_keras_object(config)
    assert again.layer is crf and again.__name__ == "sparse_loss"
    for change in ({"layer": "never built"}, {"method": "decode"}):
        config["config"] = {**again.get_config(), **change}
        with pytest.raises(ValueError, match="compile=False"):
            keras.saving.deserialize_keras_object(config)


@keras.saving.register_keras_serializable("tests")
class Tagger(keras.Model):
    """Makes its own layer, whose name is another one in every model."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.dense = keras.layers.Dense(LABELS)
        self.crf = ConditionalRandomField()

    def call(self, x):
        return self.crf(self.dense(x))


def test_a_loss_never_takes_the_layer_of_another_model(tmp_path):
    x, y = np.ones((2, 4, 3), "float32"), np.ones((2, 4), int)
    model = Tagger()
    model.compile(keras.optimizers.SGD(0.1), model.crf.sparse_loss)
    model.fit(x, y, verbose=0)
    model.save(tmp_path / "model.keras")
    with pytest.raises(ValueError, match="compile=False"):
        keras.models.load_model(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", compile=False)
    loaded.compile(keras.optimizers.SGD(0.1), loaded.crf.sparse_loss)
    assert loaded.loss.layer is loaded.crf is not model.crf


def test_a_clone_has_its_own_loss():
    model, top = model_of("crf")
    clone = keras.models.clone_model(model)
    assert clone.loss.layer is clone.get_layer(top.name) is not top


@pytest.mark.parametrize("kind", sorted(LAYERS))
def test_decoding_inside_the_graph(kind):
    model, top = model_of(kind)
    ids, _ = data()
    shape = (None,)
    decoded = keras.layers.Lambda(top.decode, output_shape=shape)(model.output)
    labels = keras.Model(model.input, decoded).predict(ids, verbose=0)
    known = top.decode(model.predict(ids, verbose=0))
    assert labels.dtype == known.dtype == "int32"
    np.testing.assert_array_equal(labels, known)


def test_sgd_moves_the_transitions_by_the_square():
    """Under SGD a step of `trans` is k * k times the plain one; under Adam k times."""
    steps = {}
    ids, labels = data()
    for k in (1, 3):
        _, crf = model, top = model_of("crf", optimizer=keras.optimizers.SGD(1e-3))
        top.lr_multiplier = k
        top.weights[0].assign(np.full((LABELS, LABELS), 0.5 / k))
        model.train_on_batch(ids, labels)
        steps[k] = ops.convert_to_numpy(crf.trans) - 0.5
    np.testing.assert_allclose(steps[3], 9 * steps[1], rtol=1e-2, atol=1e-6)
