"""The loss of a language model, from hidden states instead of logits."""

import keras
from keras import ops

from bert4keras3.backend.vocabulary import linear_cross_entropy
from bert4keras3.layers.base import Layer


class VocabularyLoss(Layer):
    """Mean cross entropy of weighted tokens; the logits never exist all at once.

    table: layer with the output table, `embeddings: (V, D)` or `kernel: (D, V)`; bias:
    layer whose `beta: (V,)` is added to the logits, or None; both keep their weights.
    smoothing: share of the target spread over the vocabulary; topk: sparse softmax,
    see `backend.vocabulary`; chunk: tokens whose logits are computed at once.
    Tokens of weight 0 cost nothing.
    Called with [states (B, T, D), labels (B, T), weights (B, T)]: adds the loss to the
    model's, returns the states, or the fourth tensor if it is given one.
    """

    def __init__(
        self, table, bias=None, smoothing=0.0, topk=None, chunk=512, **kwargs
    ):
        super().__init__(**kwargs)
        if topk is not None and topk < 1:
            raise ValueError(f"topk must be 1 or more, or None. Received: {topk!r}")
        if not 0 <= smoothing < 1:
            raise ValueError(f"smoothing must be in [0, 1). Received: {smoothing!r}")
        self.table = table
        self.bias = bias
        self.smoothing = smoothing
        self.topk = topk
        self.chunk = chunk

    def call(self, inputs, training=None):
        states, labels, weights, *_ = inputs
        size = ops.shape(states)[-1]
        weights = ops.reshape(ops.cast(weights, "float32"), (-1,))
        total = linear_cross_entropy(
            ops.reshape(states, (-1, size)),
            self._table(),
            None if self.bias is None else ops.convert_to_tensor(self.bias.beta),
            ops.reshape(ops.cast(labels, "int32"), (-1,)),
            weights,
            self.smoothing,
            self.topk,
            self.chunk,
            bool(training),
        )
        self.add_loss(total / ops.maximum(ops.sum(weights), 1e-7))
        return self._passed(inputs)

    @staticmethod
    def _passed(inputs):
        return inputs[3] if len(inputs) > 3 else inputs[0]

    def _table(self):
        if hasattr(self.table, "embeddings"):
            return ops.convert_to_tensor(self.table.embeddings)
        return ops.transpose(ops.convert_to_tensor(self.table.kernel))

    def compute_output_spec(self, inputs, training=None):
        passed = self._passed(inputs)
        return keras.KerasTensor(passed.shape, dtype=passed.dtype)

    def compute_mask(self, inputs, mask=None):
        return None

    def get_config(self):
        return not_alone(self)


class LabelLoss(Layer):
    """Mean cross entropy of the weighted tokens' labels, from a head on the states.

    head: layer (B, T, E) -> scores (B, T, labels), which keeps its weights.
    Called with [states (B, T, E), labels (B, T), weights (B, T)]: adds the loss to the
    model's, returns the states.
    """

    def __init__(self, head, **kwargs):
        super().__init__(**kwargs)
        self.head = head

    def call(self, inputs):
        states, labels, weights = inputs
        losses = ops.sparse_categorical_crossentropy(
            ops.cast(labels, "int32"), self.head(states), from_logits=True
        )
        weights = ops.cast(weights, "float32")
        total = ops.sum(losses * weights)
        self.add_loss(total / ops.maximum(ops.sum(weights), 1e-7))
        return states

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(inputs[0].shape, dtype=inputs[0].dtype)

    def compute_mask(self, inputs, mask=None):
        return None

    def get_config(self):
        return not_alone(self)


def not_alone(layer):
    """Raise ValueError: the layer shares the weights of a model it does not hold."""
    raise ValueError(
        f"{type(layer).__name__} reads weights of the language model it trains, which "
        "a file of the training model could not give back. Save the weights, with "
        "trainer.save_weights('x.weights.h5') and load_weights of a training_model "
        "built anew, or the model itself: bert.save(folder)."
    )
