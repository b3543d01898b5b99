"""The losses of pairs and classes under `fit`, saved, and in half precision."""

import keras
import numpy as np
import pytest
from keras import ops

from bert4keras3 import layers, losses
from bert4keras3.snippets import PairedGenerator, repeat_rows

B, E, C = 16, 6, 3
generator = np.random.default_rng(0)
X = generator.normal(size=(B, E)).astype("float32")
IDS = X[:, :C].argmax(axis=1).astype("int32")
PAIRS = np.repeat(generator.integers(0, 2, B // 2), 2)


def dense(units=8, dropout=0.0):
    inputs = keras.Input((E,))
    dropped = keras.layers.Dropout(dropout)(inputs) if dropout else inputs
    return inputs, layers.Dense(units)(dropped)


def vectors():
    return keras.Model(*dense())


def classifier():
    return keras.Model(*dense(C))


def sentence_bert():
    inputs, u = dense()
    features = layers.PairFeatures(product=True)(u)
    return keras.Model(inputs, layers.Dense(2, activation="softmax")(features))


def cosines():
    inputs, u = dense()
    return keras.Model(inputs, layers.CosineDense(C)(u))


CASES = {
    "cosent": (vectors, losses.CoSENT(), PAIRS),
    "interaction": (lambda: keras.Model(*dense(1)), losses.CoSENT(), IDS),
    "flat_nce": (vectors, losses.FlatNCE(), None),
    "sentence_bert": (sentence_bert, "sparse_categorical_crossentropy", PAIRS),
    "smoothed": (classifier, losses.SmoothedCrossentropy(from_logits=True), IDS),
    "sparse_softmax": (classifier, losses.SparseSoftmaxCrossentropy(topk=2), IDS),
    "am": (cosines, losses.MarginSoftmax(), IDS),
    "circle": (cosines, losses.MarginSoftmax("circle", scale=8.0), IDS),
}


@pytest.mark.parametrize("name", CASES)
def test_fit(name, tmp_path):
    keras.utils.set_random_seed(0)
    build, loss, labels = CASES[name]
    model = build()
    model.compile(keras.optimizers.Adam(0.05), loss=loss)

    def batches():
        while True:
            yield (X,), labels

    found = model.fit(batches(), steps_per_epoch=3, epochs=6, verbose=0, shuffle=False)
    values = found.history["loss"]
    assert np.isfinite(values).all()
    assert values[-1] < values[0] - 0.2 * abs(values[0])
    if name in ("cosent", "am"):
        model.save(tmp_path / "model.keras")
        again = keras.models.load_model(tmp_path / "model.keras")
        assert again.loss.get_config() == loss.get_config()
        np.testing.assert_array_equal(
            *(m.predict(X, verbose=0) for m in (model, again))
        )


def test_dropout_makes_two_of_one():
    """R-Drop sees a divergence in training; without dropout there is none."""
    keras.utils.set_random_seed(0)
    inputs, scores = dense(C, dropout=0.5)
    model = keras.Model(inputs, keras.layers.Softmax()(scores))
    model.compile(keras.optimizers.Adam(0.03), loss=losses.RDrop(alpha=40.0))
    plain = -np.log(model.predict(X, verbose=0)[np.arange(B), IDS]).mean()

    def batches():
        while True:
            yield (X,), IDS

    def doubled():
        return repeat_rows(batches())

    quiet = model.evaluate(doubled(), steps=1, verbose=0)
    assert quiet == pytest.approx(plain, rel=1e-4)
    found = model.fit(doubled(), steps_per_epoch=4, epochs=6, verbose=0, shuffle=False)
    values = found.history["loss"]
    assert values[0] > plain + 1 and values[-1] < 0.6 * values[0]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision(dtype):
    """Outputs of a model of half precision; what is computed with them is float32."""
    for build, loss, labels in CASES.values():
        if isinstance(loss, str):
            continue
        labels = PAIRS if labels is None else labels
        outputs = ops.cast(ops.stop_gradient(build()(X)), dtype)
        found = loss(labels, outputs)
        assert keras.backend.standardize_dtype(found.dtype) == "float32"
        wide = loss(labels, ops.cast(outputs, "float32"))
        assert float(found) == pytest.approx(float(wide), rel=1e-6)
    assert (
        keras.losses.deserialize(keras.losses.serialize(losses.RDrop(alpha=2.0))).alpha
        == 2.0
    )


def test_simcse_from_the_generator():
    """The same text twice is a pair of which dropout makes two."""
    keras.utils.set_random_seed(0)
    data = [((row,), (row,), None) for row in X]
    batches = PairedGenerator(data, 8, buckets=(E,), seed=0)
    (x,), labels = next(batches.forfit())
    np.testing.assert_array_equal(x[::2], x[1::2])
    assert labels is None and len(batches) == 2
