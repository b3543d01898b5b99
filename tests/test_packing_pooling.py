"""A vector of every text of a packed row is that of the text alone."""

import keras
import numpy as np
import pytest
from clue_helpers import task_of, tiny_checkpoint
from packed_rows import alone, made, outputs, packed, same, texts

from bert4keras3.layers import GlobalAveragePooling1D, GlobalMaxPooling1D, PackedPooling
from bert4keras3.utils import Unpacked
from bert4keras3.utils.prediction import predict_each

__all__ = ["tiny_checkpoint"]
PLAIN = {"mean": GlobalAveragePooling1D, "max": GlobalMaxPooling1D}
each = pytest.mark.parametrize("pooling", sorted(PLAIN))


def rows_model(pooling):
    """The packed model with a vector of every text."""
    rows = made("bert", packed=True)
    vectors = PackedPooling(pooling)([rows.model.output, rows.model.inputs[-1]])
    return keras.Model(rows.model.inputs, vectors)


@each
def test_vectors_are_those_of_texts_alone(pooling, tmp_path):
    plain, found = made("bert"), texts(2)
    pooled = keras.Model(plain.model.inputs, PLAIN[pooling]()(plain.model.output))
    expected = outputs(pooled, alone(found))
    model = rows_model(pooling)
    same(expected, outputs(model, packed(found)), per_text=True)
    model.save(tmp_path / "rows.keras")
    again = keras.models.load_model(tmp_path / "rows.keras")
    same(expected, outputs(again, packed(found)), per_text=True)


@each
def test_places_without_text_are_zeros_and_pass_no_gradient(pooling):
    x = np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32")
    starts = np.array([[0, 2, 5], [0, 5, 5]], "int32")
    inputs = [keras.Input((5, 3)), keras.Input((None,), dtype="int32")]
    vectors = PackedPooling(pooling)([keras.layers.Dense(3)(inputs[0]), inputs[1]])
    model = keras.Model(inputs, vectors)
    dense = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    dense[0].set_weights([np.eye(3, dtype="float32"), np.zeros(3, "float32")])
    how = getattr(np, pooling)
    expected = np.zeros((2, 3, 3), "float32")
    expected[0, 0], expected[0, 1] = how(x[0, :2], 0), how(x[0, 2:], 0)
    expected[1, 0] = how(x[1], 0)
    np.testing.assert_allclose(outputs(model, [x, starts]), expected, atol=1e-6)
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.fit([x, starts], np.zeros_like(expected), batch_size=2, verbose=0)
    assert np.isfinite(dense[0].get_weights()[0]).all()


def test_another_pooling_is_refused():
    with pytest.raises(ValueError, match="'sum'"):
        PackedPooling("sum")


@each
def test_a_task_gives_the_same_packed_or_not(pooling, tiny_checkpoint):
    found = []
    for packing in (True, False):
        task = task_of("tnews", tiny_checkpoint, pooling=pooling, packing=packing)
        keras.utils.set_random_seed(0)
        model = task.build(10)
        weights = found[0][0].get_weights() if found else model.get_weights()
        model.set_weights(weights)
        alone = Unpacked(model) if packing else model
        texts = [inputs for inputs, _ in task.encode(task.split("train"))]
        scores = predict_each(alone, texts, lambda outputs, _: list(outputs))
        found.append((model, np.stack(scores)))
        generator = task.batches(task.encode(task.split("train")), 0)
        history = model.fit(
            generator.forfit(), steps_per_epoch=2, epochs=2, shuffle=False, verbose=0
        )
        assert np.isfinite(history.history["loss"]).all()
        model.set_weights(weights)
    assert found[0][1].shape == (12, 15)
    np.testing.assert_allclose(found[0][1], found[1][1], atol=1e-5)
