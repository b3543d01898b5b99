"""A bert4keras loss layer, written with `K`, trains under `fit`."""

import keras
import numpy as np

from bert4keras3.backend import K
from bert4keras3.layers import Loss


class CrossEntropy(Loss):
    """The masked sequence loss of bert4keras's language model examples."""

    def compute_loss(self, inputs, mask=None):
        y_true, y_pred = inputs
        y_mask = K.cast(K.not_equal(y_true, 0), K.floatx())[:, 1:]
        y_true, y_pred = y_true[:, 1:], y_pred[:, :-1]
        loss = K.sparse_categorical_crossentropy(y_true, y_pred)
        return K.sum(loss * y_mask) / K.sum(y_mask)


def test_loss_layer_with_k_trains():
    keras.utils.set_random_seed(1)
    ids = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(12, 16)(ids)
    x = keras.layers.Lambda(lambda x: K.l2_normalize(x, axis=-1) * 4.0)(x)
    probas = keras.layers.Dense(12, activation="softmax")(x)
    model = keras.Model(ids, CrossEntropy(1)([ids, probas]))
    model.compile(optimizer=keras.optimizers.Adam(0.05))
    # Each id is followed by the next one: learnable from the id alone.
    data = (np.arange(6)[None] + np.arange(1, 7)[:, None]).astype("int32")
    history = model.fit(data, epochs=40, batch_size=6, verbose=0)
    losses = history.history["loss"]
    assert losses[0] > 2.0 and losses[-1] < 0.2
