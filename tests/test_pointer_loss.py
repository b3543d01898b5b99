"""SparsePointerLoss: the same loss and gradients, without the matrix of all heads."""

import keras
import numpy as np
import pytest
from keras import ops
from score_gradients import value_and_gradient

from bert4keras3 import layers, losses

B, H, T, E = 6, 3, 9, 8
NAMES = ("GlobalPointer", "EfficientGlobalPointer")
each_layer = pytest.mark.parametrize("name", NAMES)


def batch(length=T):
    x = np.random.randn(B, length, E).astype("float32")
    x[: B // 2, 6:] = 0  # masked
    pairs = np.sort(np.random.randint(0, 6, (B, H, 4, 2)), axis=-1).astype("int32")
    return x, pairs


def models(name, head_reduction="sum", fused_dtype="int32", **arguments):
    """(model of the scores, model of SparsePointerLoss), with the same weights."""
    inputs = keras.Input((None, E))
    x = keras.layers.Dense(E)(keras.layers.Masking()(inputs))
    pointer = getattr(layers, name)(H, 4, **arguments)
    scores = keras.Model(inputs, pointer(x))
    pairs = keras.Input((H, None, 2), dtype=fused_dtype)
    loss = layers.SparsePointerLoss(pointer, head_reduction)
    return scores, keras.Model([inputs, pairs], loss([x, pairs]))


@each_layer
@pytest.mark.parametrize("head_reduction", ["sum", "mean"])
def test_equals_the_loss_of_the_scores(name, head_reduction):
    x, pairs = batch()
    pairs = ops.convert_to_tensor(pairs)
    mask = ops.convert_to_tensor((x != 0).any(-1))
    layer = getattr(layers, name)(H, 4)
    layer.build(x.shape)

    def plain(x):
        scores = layer(x, mask=mask)
        return losses.sparse_global_pointer_crossentropy(pairs, scores, head_reduction)

    def fused(x):
        return layer.sparse_loss(x, pairs, mask, head_reduction)

    wanted, found = value_and_gradient(plain, x), value_and_gradient(fused, x)
    assert wanted[0].shape == (B,)
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    if head_reduction == "sum":
        eager = value_and_gradient(fused, x, compiled=False)
        np.testing.assert_allclose(eager[1], found[1], rtol=1e-4, atol=1e-5)


@each_layer
def test_fit_trains_the_predictor(name):
    x, pairs = batch()
    scores, fused = models(name, use_bias=False, tril_mask=False)
    twin, _ = models(name, use_bias=False, tril_mask=False)
    twin.set_weights(scores.get_weights())
    twin.compile(
        keras.optimizers.Adam(0.01), loss=losses.SparseGlobalPointerCrossentropy()
    )
    # XLA, as on a GPU: TensorFlow's loops must have a fixed length there.
    compiled = keras.config.backend() != "torch"
    fused.compile(keras.optimizers.Adam(0.01), jit_compile=compiled)
    one = twin.fit(x, pairs, batch_size=3, epochs=3, verbose=0, shuffle=False)
    two = fused.fit((x, pairs), None, batch_size=3, epochs=3, verbose=0, shuffle=False)
    np.testing.assert_allclose(one.history["loss"], two.history["loss"], rtol=1e-4)
    assert two.history["loss"][-1] < two.history["loss"][0]
    one, two = (model.predict(x, verbose=0) for model in (twin, scores))
    np.testing.assert_allclose(one, two, rtol=1e-2, atol=1e-3)


def test_indices_survive_mixed_precision():
    """257 as bfloat16 is 256: labels that arrive as floats must not be cast."""
    keras.utils.set_random_seed(0)
    x = np.random.randn(1, 300, E).astype("float32")
    pairs = np.array([[[[257, 259]], [[0, 0]], [[299, 299]]]], "float32")
    arguments = {"fused_dtype": "float32", "dtype": "mixed_bfloat16"}
    scores, fused = models("GlobalPointer", **arguments)
    fused.compile()
    found = scores.predict(x, verbose=0)
    plain = losses.SparseGlobalPointerCrossentropy()(pairs, found)
    value = fused.evaluate([x, pairs], verbose=0)
    np.testing.assert_allclose(value, float(plain), rtol=1e-4)


def test_saved_and_refused(tmp_path):
    x, pairs = batch()
    _, fused = models("GlobalPointer", "mean")
    fused.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    fused.compile()
    again.compile()
    wanted = fused.evaluate([x, pairs], verbose=0)
    np.testing.assert_allclose(again.evaluate([x, pairs], verbose=0), wanted, 1e-6)
    with pytest.raises(TypeError, match="GlobalPointer"):
        layers.SparsePointerLoss(keras.layers.Dense(2))


@pytest.mark.skipif(keras.config.backend() != "jax", reason="XLA tells its plan there")
@each_layer
def test_memory_is_at_most_two_fifths_of_the_dense_loss(name):
    import jax

    layer = getattr(layers, name)(10, 64)
    x = np.zeros((4, 128, 64), "float32")
    layer.build(x.shape)
    dense = losses.GlobalPointerCrossentropy()
    values = [variable.value for variable in layer.trainable_variables]

    def planned(loss, labels):
        def total(values, x, labels):
            state = list(zip(layer.trainable_variables, values, strict=True))
            with keras.StatelessScope(state_mapping=state):
                return loss(x, labels)

        step = jax.jit(jax.grad(total, argnums=(0, 1)))
        plan = step.lower(values, x, labels).compile().memory_analysis()
        sizes = ("argument", "temp", "output")
        return sum(getattr(plan, f"{size}_size_in_bytes") for size in sizes)

    matrices = np.zeros((4, 10, 128, 128), "float32")
    whole = planned(lambda x, y: dense(y, layer(x)), matrices)
    pairs = np.zeros((4, 10, 6, 2), "int32")
    fused = planned(lambda x, y: ops.mean(layer.sparse_loss(x, y)), pairs)
    assert fused <= 0.4 * whole
