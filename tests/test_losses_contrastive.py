"""Losses of sentence vectors against float64 numpy, and beside a language model's."""

import keras
import numpy as np
import pytest
from keras import ops
from score_gradients import finite_differences, value_and_gradient
from tiny_models import batch, build

from bert4keras3 import losses


def cosines(vectors):
    z = vectors.astype("float64")
    z = z / np.linalg.norm(z, axis=-1, keepdims=True)
    return z @ z.T


def contrastive(vectors, scale):
    """(B,) by the definition: softmax over all rows but the row itself."""
    s = scale * cosines(vectors)
    s[np.eye(len(s), dtype=bool)] = -np.inf
    partner = np.arange(len(s)) ^ 1
    return np.log(np.exp(s).sum(-1)) - s[np.arange(len(s)), partner]


def distillation(targets, vectors):
    return 100 * np.mean((cosines(vectors) - cosines(targets)) ** 2, axis=-1)


VECTORS = np.random.default_rng(0).normal(size=(6, 4)).astype("float32")
TARGETS = np.random.default_rng(1).normal(size=(6, 3)).astype("float32")


@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_contrastive_value_and_gradient(scale):
    value, gradient = value_and_gradient(
        lambda x: losses.contrastive_crossentropy(x, scale), VECTORS
    )
    np.testing.assert_allclose(value, contrastive(VECTORS, scale), rtol=2e-5, atol=1e-5)
    known = finite_differences(lambda x: contrastive(x, scale), VECTORS)
    np.testing.assert_allclose(gradient, known, rtol=1e-3, atol=2e-5)


def test_distillation_value_and_gradient():
    value, gradient = value_and_gradient(
        lambda x: losses.similarity_distillation(TARGETS, x), VECTORS
    )
    np.testing.assert_allclose(value, distillation(TARGETS, VECTORS), rtol=1e-4)
    known = finite_differences(lambda x: distillation(TARGETS, x), VECTORS)
    np.testing.assert_allclose(gradient, known, rtol=1e-3, atol=1e-4)
    whole = losses.SimilarityDistillation()(TARGETS, VECTORS)
    expected = 100 * np.mean((cosines(VECTORS) - cosines(TARGETS)) ** 2)
    assert float(whole) == pytest.approx(expected, rel=1e-4)


def test_a_zero_vector_has_a_finite_gradient():
    vectors = VECTORS.copy()
    vectors[1] = 0
    value, gradient = value_and_gradient(losses.contrastive_crossentropy, vectors)
    assert np.isfinite(value).all() and np.isfinite(gradient).all()


@pytest.mark.parametrize("shape", [(5, 4), (4, 2, 4)])
def test_rows_without_partner_are_refused(shape):
    with pytest.raises(ValueError, match="even number of rows.*Received: shape"):
        losses.contrastive_crossentropy(np.ones(shape, "float32"))


def test_labels_may_be_missing_and_settings_are_saved():
    loss = losses.ContrastiveCrossentropy(scale=5.0)
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    expected = contrastive(VECTORS, 5.0).mean()
    for one in (loss(None, VECTORS), again(np.zeros(6), VECTORS)):
        assert float(one) == pytest.approx(expected, rel=1e-4)


def simbert():
    return build("bert", "unilm", with_pool="linear", with_mlm="linear")


def parts(t, inputs):
    """Both losses of a batch, from the outputs of the plain model."""
    pooled, logits = (
        ops.convert_to_numpy(x).astype("float64") for x in t.model(inputs)
    )
    logs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    ids, shares = inputs[0][:, 1:], inputs[1][:, 1:]
    target = np.take_along_axis(logs[:, :-1], ids[..., None], axis=-1)[..., 0]
    return pooled, -(target * shares).sum() / shares.sum()


@pytest.mark.parametrize(
    "kind", ["contrastive", pytest.param("distillation", marks=pytest.mark.slow)]
)
def test_both_losses_come_from_one_pass(kind):
    """The sum is minimised; a training model runs every layer of the trunk once."""
    t, inputs = simbert(), batch(rows=4)
    model = t.training_model()
    assert model.output.shape == (None, 16)
    nodes = [node for depth in model._nodes_by_depth.values() for node in depth]
    runs = [node.operation.name for node in nodes]
    assert runs.count("Transformer-1-FeedForward") == runs.count("Pooler-Dense") == 1
    pooled, tokens = parts(t, inputs)
    if kind == "contrastive":
        loss, labels = losses.ContrastiveCrossentropy(scale=3.0), None
        of_vectors = contrastive(pooled, 3.0).mean()
    else:
        loss, labels = losses.SimilarityDistillation(), TARGETS[:4]
        of_vectors = distillation(labels, pooled).mean()
    model.compile(keras.optimizers.Adam(0.003), loss=loss)

    def batches():
        while True:
            yield tuple(inputs), labels

    found = model.fit(batches(), steps_per_epoch=1, epochs=8, verbose=0, shuffle=False)
    values = found.history["loss"]
    assert values[0] == pytest.approx(tokens + of_vectors, rel=1e-4)
    assert values[-1] < 0.8 * values[0]
