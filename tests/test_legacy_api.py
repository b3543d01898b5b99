"""Scripts written for bert4keras run as they are, up to the name of the package."""

import keras
import numpy as np
import pytest
from golden_model import Case
from keras import ops
from tiny_models import CONFIG, batch, build, shared

from bert4keras3.backend import K
from bert4keras3.layers import Dense, Lambda, Loss
from bert4keras3.models import (
    BERT,
    build_transformer_model,
    extend_with_language_model,
    extend_with_unified_language_model,
)


def numpy(x):
    return ops.convert_to_numpy(x)


def test_layer_names_of_the_original():
    """Scripts cut models by these names."""
    t = Case("bert_mlm").build()
    recorded = {"Input-Token", "Embedding-Norm", "Transformer-1-FeedForward-Norm",
                "Transformer-0-MultiHeadSelfAttention", "MLM-Bias", "MLM-Activation"}
    assert recorded <= {layer.name for layer in t.model.layers}
    layer = "Transformer-%s-FeedForward-Norm" % (t.num_hidden_layers - 1)
    output = t.model.get_layer(layer).output
    found = keras.Model(t.model.inputs, output).predict(batch(), verbose=0)
    assert found.shape == (3, 8, 32)


def test_classifier_on_the_first_token():
    bert = build()
    output = Lambda(lambda x: x[:, 0], name="CLS-token")(bert.model.output)
    output = Dense(3, activation="softmax", kernel_initializer=bert.initializer)(output)
    model = keras.models.Model(bert.model.input, output)
    model.compile(
        loss="sparse_categorical_crossentropy",
        optimizer=keras.optimizers.Adam(2e-2),
        metrics=["sparse_categorical_accuracy"],
    )
    data = batch(), np.array([0, 1, 2])
    model.fit(*data, epochs=12, verbose=0)
    assert model.evaluate(*data, verbose=0)[1] == 1.0


def test_a_pooled_head_is_cut_at_the_named_layer():
    """The last block may compute one token for the pooler, never for the user."""
    bert = build(with_pool=True)
    states = bert.model.get_layer("Transformer-1-FeedForward-Norm").output
    model = keras.Model(bert.model.inputs, [states, bert.model.output])
    states, pooled = model.predict(batch(), verbose=0)
    assert states.shape == (3, 8, 16)
    kernel, bias = (numpy(w) for w in bert.layers["Pooler-Dense"].weights)
    np.testing.assert_allclose(np.tanh(states[:, 0] @ kernel + bias), pooled, atol=1e-5)


class CrossEntropy(Loss):
    """The loss layer of the seq2seq scripts."""

    def compute_loss(self, inputs, mask=None):
        y_true, y_mask, y_pred = inputs
        y_true = y_true[:, 1:]
        y_mask = K.cast(y_mask, K.floatx())[:, 1:]
        y_pred = y_pred[:, :-1]
        loss = K.sparse_categorical_crossentropy(y_true, y_pred)
        return K.sum(loss * y_mask) / K.sum(y_mask)


def test_seq2seq_with_a_loss_layer():
    """No targets: batches are (inputs, None), the loss is in the graph."""
    model = build_transformer_model({**CONFIG}, None, application="unilm")
    output = CrossEntropy(2)(model.inputs + model.outputs)
    train = keras.models.Model(model.inputs, output)
    train.compile(optimizer=keras.optimizers.Adam(1e-2))
    batches = [(tuple(batch(seed=seed)), None) for seed in (1, 2)]

    def forfit():
        while True:
            yield from batches

    fitted = train.fit(forfit(), steps_per_epoch=10, epochs=3, verbose=0)
    losses = fitted.history["loss"]
    assert abs(losses[0] - np.log(50)) < 0.6
    assert losses[2] < losses[0] - 0.3
    assert train.predict(batch(), verbose=0).shape == (3, 8, 50)


def test_loss_layer_returns_what_it_is_asked_for():
    x, y = keras.Input((2,)), keras.Input((2,))

    class Squares(Loss):
        def compute_loss(self, inputs, mask=None):
            return K.mean(K.square(inputs[0] - inputs[1]))

    one = keras.Model([x, y], Squares(1)([x, y]))
    both = keras.Model([x, y], Squares([1, 0])([x, y]))
    a, b = np.ones((3, 2), "float32"), np.zeros((3, 2), "float32")
    np.testing.assert_array_equal(numpy(one([a, b])), b)
    np.testing.assert_array_equal(numpy(both([a, b])[1]), a)
    assert [float(loss) for loss in one.losses] == [1.0]
    with pytest.raises(NotImplementedError, match="compute_loss"):
        Loss(0)([x, y])


def test_one_encoder_for_two_texts():
    """Siamese models call `bert.model` twice; both calls share the weights."""
    bert = build(with_pool="linear")
    first = [keras.Input((None,), dtype="int32") for _ in range(2)]
    second = [keras.Input((None,), dtype="int32") for _ in range(2)]
    vectors = [bert.model(first), bert.model(second)]
    cosine = keras.layers.Dot(1, normalize=True)(vectors)
    model = keras.Model(first + second, cosine)
    assert len(model.weights) == len(bert.model.weights)
    same = model.predict(batch() + batch(), verbose=0)
    np.testing.assert_allclose(same, 1.0, atol=1e-5)
    assert (model.predict(batch() + batch(seed=5), verbose=0) < 0.999).all()


@pytest.mark.parametrize(
    "extend, application",
    [
        (extend_with_language_model, "lm"),
        (extend_with_unified_language_model, "unilm"),
    ],
)
def test_extended_classes(extend, application):
    extended = build(extend(BERT), with_mlm="linear")
    found, expected = (
        numpy(t.model(batch())) for t in (extended, shared("bert", application))
    )
    np.testing.assert_allclose(found, expected, atol=1e-5)
