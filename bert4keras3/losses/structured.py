"""Losses over chains of labels: of CRF and MEMM layers, and as plain functions."""

import keras
from keras import ops

from bert4keras3.backend import chains
from bert4keras3.layers.base import register
from bert4keras3.layers.chain import ChainMethod, LabelChain
from bert4keras3.layers.memm import local_log_probs, log_probs_of, mean_loss


@register
class ChainCrossentropy(keras.losses.Loss):
    """The loss of a `ConditionalRandomField` or `MaximumEntropyMarkovModel` layer.

    layer: the layer whose outputs are y_pred: (B, T, C); dense: labels are (B, T, C),
    one-hot or soft, instead of ids (B, T) or (B, T, 1). The same as
    `loss=layer.sparse_loss` (`dense_loss`), with Keras's `reduction`.
    Raises TypeError for another layer.
    """

    def __init__(
        self,
        layer,
        dense=False,
        reduction="sum_over_batch_size",
        name="chain_crossentropy",
    ):
        super().__init__(name=name, reduction=reduction, dtype="float32")
        if isinstance(layer, ChainMethod):  # of a saved model
            layer = layer.layer
        if not isinstance(layer, LabelChain):
            raise TypeError(
                "ChainCrossentropy needs the ConditionalRandomField or "
                "MaximumEntropyMarkovModel layer that the model ends with. Received: "
                f"{layer!r}"
            )
        self.layer = layer
        self.dense = dense

    def call(self, y_true, y_pred):
        loss = self.layer.dense_loss if self.dense else self.layer.sparse_loss
        return loss(y_true, y_pred)

    def get_config(self):
        method = keras.saving.serialize_keras_object(self.layer.sparse_loss)
        return {
            "layer": method,
            "dense": self.dense,
            "reduction": self.reduction,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config):
        layer = keras.saving.deserialize_keras_object(config["layer"])
        return cls(**{**config, "layer": layer})


def crf_loss(y_true, y_pred, trans):
    """Negative log-likelihood (B,) of a CRF (https://kexue.fm/archives/5542).

    y_true: label ids (B, T), or (B, T, C) one-hot or soft; y_pred: scores (B, T, C),
    minus infinity for all labels of a masked step; trans: (C, C), trans[i, j] is the
    score of going from label i to label j.
    """
    return -chains.log_likelihood(*_chain(y_true, y_pred, trans))


def memm_loss(y_true, y_pred, trans):
    """Mean over real steps and both directions of -log p of a MEMM, a scalar.

    y_true: label ids (B, T); y_pred, trans: as in `crf_loss`.
    https://kexue.fm/archives/7213
    """
    scores, trans, mask, labels = _chain(y_true, y_pred, trans)
    if len(labels.shape) == 3:
        raise ValueError(
            "memm_loss takes label ids (B, T). Received: labels "
            f"{tuple(labels.shape)}; the layer's dense_loss takes one-hot ones."
        )

    def rows(trans):
        return ops.take(trans, labels, axis=0)

    both = local_log_probs(scores, trans, mask, rows)
    return mean_loss(log_probs_of(both, labels, mask), mask)


def _chain(y_true, y_pred, trans):
    """Finite scores and transitions, the mask, and labels, 0 where masked."""
    y_pred = ops.convert_to_tensor(y_pred)
    mask = chains.real_steps(y_pred)
    scores = chains.finite(ops.cast(y_pred, "float32"))
    labels = ops.convert_to_tensor(y_true)
    if len(labels.shape) == 2:
        labels = ops.where(mask, ops.cast(labels, "int32"), 0)
    else:
        labels = ops.cast(labels, "float32")
    return scores, chains.finite(ops.cast(trans, "float32")), mask, labels
