"""The losses in `compile` and `fit`, and models saved with them."""

import keras
import numpy as np
import pytest

from bert4keras3 import layers, losses

B, H, T, E, C = 16, 2, 6, 8, 7


def spans():
    """x (B, T, E), one pair per text and head, and their matrix."""
    x = np.random.randn(B, T, E).astype("float32")
    pairs = np.sort(np.random.randint(1, T, (B, H, 3, 2)), axis=-1).astype("int32")
    pairs[:, :, 1:] = 0
    matrix = np.zeros((B, H, T, T), "float32")
    b, h = np.indices((B, H))
    matrix[b, h, pairs[:, :, 0, 0], pairs[:, :, 0, 1]] = 1.0
    return x, pairs, matrix


def pointer_model(loss, cls=layers.GlobalPointer):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((None, E))
    model = keras.Model(inputs, cls(H, 8)(inputs))
    model.compile(keras.optimizers.Adam(0.05), loss=loss)
    return model


def history(model, x, y):
    return model.fit(x, y, batch_size=8, epochs=12, verbose=0).history["loss"]


def test_pairs_and_matrices_train_to_the_same_weights():
    """But for cell (0, 0), which pairs leave out; both learn the spans."""
    x, pairs, matrix = spans()
    found = {}
    for cls, y in (
        (losses.SparseGlobalPointerCrossentropy, pairs),
        (losses.GlobalPointerCrossentropy, matrix),
    ):
        model = pointer_model(cls())
        values = history(model, x, y)
        assert np.isfinite(values).all()
        assert values[-1] < 0.6 * values[0]
        found[cls] = values
    sparse, dense = found.values()
    assert sparse[0] < dense[0] < sparse[0] * 1.2


@pytest.mark.parametrize("sparse", [False, True])
def test_multilabel_fit(sparse):
    x = np.random.randn(B, E).astype("float32")
    ids = np.random.randint(1, C, (B, 2))
    labels = np.zeros((B, C), "float32")
    np.put_along_axis(labels, ids, 1.0, axis=-1)
    kinds = {
        True: losses.SparseMultilabelCategoricalCrossentropy(mask_zero=True),
        False: losses.MultilabelCategoricalCrossentropy(),
    }
    model = keras.Sequential([keras.Input((E,)), keras.layers.Dense(C)])
    model.compile(keras.optimizers.Adam(0.1), loss=kinds[sparse])
    values = history(model, x, ids if sparse else labels)
    assert np.isfinite(values).all()
    assert values[-1] < 0.7 * values[0]
    scores = model.predict(x, verbose=0)
    hits = (scores > 0) == (labels > 0)
    assert hits[:, 1:].mean() > 0.75


@pytest.mark.parametrize(
    "loss",
    [
        losses.GlobalPointerCrossentropy(head_reduction="mean"),
        losses.SparseGlobalPointerCrossentropy(reduction="sum"),
    ],
    ids=lambda loss: loss.name,
)
@pytest.mark.parametrize("name", ["GlobalPointer", "EfficientGlobalPointer"])
def test_saved_with_its_loss(tmp_path, name, loss):
    x, pairs, matrix = spans()
    y = pairs if "sparse" in loss.name else matrix
    model = pointer_model(loss, getattr(layers, name))
    model.fit(x, y, epochs=1, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert type(again.loss) is type(loss)
    assert again.loss.get_config() == loss.get_config()
    wanted = model.evaluate(x, y, verbose=0)
    np.testing.assert_allclose(again.evaluate(x, y, verbose=0), wanted, rtol=1e-5)
    one, two = (m.predict(x, verbose=0) for m in (again, model))
    np.testing.assert_array_equal(one, two)


def test_losses_describe_themselves():
    for loss in (
        losses.MultilabelCategoricalCrossentropy(reduction="sum"),
        losses.SparseMultilabelCategoricalCrossentropy(mask_zero=True, name="mine"),
    ):
        again = keras.losses.deserialize(keras.losses.serialize(loss))
        assert type(again) is type(loss)
        assert again.get_config() == loss.get_config()
