"""`K`: Keras 2 semantics, checked against numpy on the backend in use."""

import keras
import numpy as np
import pytest
from keras import ops

from bert4keras3.backend import legacy as K

RNG = np.random.default_rng(7)
X = RNG.normal(size=(2, 3, 4)).astype("float32")
M = RNG.normal(size=(4, 5)).astype("float32")
P = np.exp(X) / np.exp(X).sum(-1, keepdims=True)
IDS = np.array([[0, 3, 1], [2, 2, 0]])
HOT = np.eye(4, dtype="float32")[IDS]
EACH = np.take_along_axis(P, IDS[..., None], -1)[..., 0]

CASES = {
    "sum list axis": (lambda x: K.sum(x, [1, 2]), X.sum((1, 2))),
    "mean of bools": (lambda x: K.mean(K.greater(x, 0)), (X > 0).mean()),
    "max keepdims": (lambda x: K.max(x, 1, True), X.max(1, keepdims=True)),
    "logsumexp": (lambda x: K.logsumexp(x, 1), np.log(np.exp(X).sum(1))),
    "argmax": (lambda x: K.argmax(x), X.argmax(-1)),
    "cumsum": (lambda x: K.cumsum(x, 1), X.cumsum(1)),
    "clip to a point": (lambda x: K.clip(x, 0.5, -1), np.full_like(X, 0.5)),
    "sqrt of negatives": (lambda x: K.sqrt(x), np.sqrt(np.maximum(X, 0))),
    "hard_sigmoid": (lambda x: K.hard_sigmoid(x), np.clip(0.2 * X + 0.5, 0, 1)),
    "relu leak": (lambda x: K.relu(x, alpha=0.2), np.where(X >= 0, X, 0.2 * X)),
    "l2_normalize": (
        lambda x: K.l2_normalize(x, axis=-1),
        X / np.linalg.norm(X, axis=-1, keepdims=True),
    ),
    "dot": (lambda x: K.dot(x, K.constant(M)), X @ M),
    "batch_dot": (
        lambda x: K.batch_dot(x, x, axes=2),
        np.einsum("bij,bkj->bik", X, X),
    ),
    "batch_dot rows": (
        lambda x: K.batch_dot(x[:, 0], x[:, 1]),
        (X[:, 0] * X[:, 1]).sum(-1, keepdims=True),
    ),
    "repeat_elements": (lambda x: K.repeat_elements(x, 2, 1), X.repeat(2, 1)),
    "repeat": (lambda x: K.repeat(x[:, 0], 3), np.stack([X[:, 0]] * 3, 1)),
    "permute": (lambda x: K.permute_dimensions(x, [0, 2, 1]), X.transpose(0, 2, 1)),
    "reshape none": (lambda x: K.reshape(x, (None, 4)), X.reshape(-1, 4)),
    "reshape split": (lambda x: K.reshape(x, (2, -1), 2), X.reshape(2, 3, 2, 2)),
    "reshape keep": (
        lambda x: K.reshape(x, (K.shape(x)[0], K.shape(x)[1], 2, 2)),
        X.reshape(2, 3, 2, 2),
    ),
    "flatten": (lambda x: K.flatten(x), X.ravel()),
    "flatten tail": (lambda x: K.flatten(x, 1), X.reshape(2, 12)),
    "concatenate": (lambda x: K.concatenate([x, x]), np.concatenate([X, X], -1)),
    "switch rows": (
        lambda x: K.switch(K.greater(x[:, 0, 0], 0), x, -x),
        np.where(X[:, :1, :1] > 0, X, -X),
    ),
    "where": (lambda x: K.where(x > 0, x, 0.0), np.where(X > 0, X, 0)),
    "sparse ce": (
        lambda x: K.sparse_categorical_crossentropy(
            K.constant(IDS[:, :, None]), K.softmax(x)
        ),
        -np.log(EACH),
    ),
    "sparse ce logits": (
        lambda x: K.sparse_categorical_crossentropy(K.constant(IDS), x, True),
        -np.log(EACH),
    ),
    "ce": (
        lambda x: K.categorical_crossentropy(K.constant(HOT), K.softmax(x)),
        -np.log(EACH),
    ),
    "ce unnormalised": (
        lambda x: K.categorical_crossentropy(K.constant(HOT), K.softmax(x) / 2),
        -np.log(EACH),
    ),
    "bce": (
        lambda x: K.binary_crossentropy(K.constant(HOT), K.softmax(x)),
        -np.log(np.where(HOT > 0, P, 1 - P)),
    ),
    "bce logits": (
        lambda x: K.binary_crossentropy(K.constant(HOT), x, from_logits=True),
        np.log1p(np.exp(np.where(HOT > 0, -X, X))),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_equals_numpy(name):
    function, expected = CASES[name]
    eager = ops.convert_to_numpy(function(ops.convert_to_tensor(X)))
    assert eager.shape == np.shape(expected)
    np.testing.assert_allclose(eager, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "name", ["reshape split", "flatten tail", "dot", "switch rows"]
)
@pytest.mark.parametrize("shape", [(3, 4), (None, 4)])
def test_functional_graph(name, shape):
    inputs = keras.Input(shape)
    function, expected = CASES[name]
    model = keras.Model(inputs, function(inputs))
    np.testing.assert_allclose(
        model.predict(X, verbose=0), expected, rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("shape", [(2, 3, 4), (None, None, 4)])
def test_compiled_lambda(shape):
    """Every case also runs traced, where sizes may be tensors (TensorFlow)."""
    inputs = keras.Input(batch_shape=shape)
    names = [n for n in CASES if np.shape(CASES[n][1])[:1] == (2,)]
    if shape[0] is None:  # the targets of the losses fit one batch only
        names = [n for n in names if not {"ce", "bce"} & set(n.split())]
    outputs = [keras.layers.Lambda(CASES[n][0])(inputs) for n in names]
    model = keras.Model(inputs, outputs)
    for name, got in zip(names, model.predict(X, verbose=0), strict=True):
        np.testing.assert_allclose(got, CASES[name][1], rtol=1e-5, atol=1e-5)
    assert len(names) > 15


def test_switch_with_functions():
    x = ops.convert_to_tensor(X)
    got = K.switch(K.greater(K.sum(x), 1e9), lambda: x, lambda: x + 1)
    np.testing.assert_allclose(K.eval(got), X + 1)
    with pytest.raises(ValueError, match="rank"):
        K.switch(x > 0, x[0], x[0])


def test_constructors_and_queries():
    assert K.dtype(K.zeros((2, 3))) == K.floatx() == "float32"
    assert K.int_shape(keras.Input((None, 4))) == (None, None, 4)
    assert K.ndim(K.eye(3)) == 2 and K.dtype(K.arange(5)) == "int32"
    assert K.prod(K.shape(K.ones((2, 3)))) == 6
    assert K.concatenate([K.shape(K.ones((2, 3))), [4]], 0).tolist() == [2, 3, 4]
    np.testing.assert_array_equal(K.eval(K.one_hot([1, 0], 2)), [[0, 1], [1, 0]])
    with pytest.raises(ValueError, match="zeros_like"):
        K.zeros((K.shape(keras.Input((4,)))[0], 2))
