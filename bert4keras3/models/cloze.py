"""Masked language models that answer with words: training them, and reading classes."""

import keras
import numpy as np
from keras import ops

from bert4keras3.backend.tensors import batch_gather
from bert4keras3.layers.base import Layer
from bert4keras3.layers.vocabulary import VocabularyLoss, not_alone


class WordScores(Layer):
    """Scores of words in the place of the mask tokens of a text.

    table, bias: layers of the logits, see `VocabularyLoss`; words: ids (C, K) of C
    words of K tokens; mask_id: id of the mask token.
    Called with [states (B, T, E), ids (B, T)]: float32 (B, C), the sum over the first K
    mask tokens of the logits of a word's tokens. All texts must have K mask tokens.
    """

    def __init__(self, table, bias, words, mask_id, **kwargs):
        super().__init__(**kwargs)
        self.table = table
        self.bias = bias
        self.words = np.asarray(words, "int32")
        self.mask_id = int(mask_id)

    def call(self, inputs):
        states, ids = inputs
        hits = ops.cast(ops.equal(ids, self.mask_id), "int32")
        length = ops.shape(ids)[1]
        # The earlier a mask token, the larger: so the places come out in order.
        order = hits * (length - ops.arange(length, dtype="int32"))
        places = ops.top_k(order, self.words.shape[1])[1]
        states = ops.cast(batch_gather(states, places), "float32")
        rows = ops.take(self._table(), self.words, axis=0)
        scores = ops.einsum("bke,cke->bc", states, ops.cast(rows, "float32"))
        if self.bias is not None:
            bias = ops.take(ops.convert_to_tensor(self.bias.beta), self.words)
            scores = scores + ops.cast(ops.sum(bias, axis=-1), "float32")
        return scores

    def _table(self):
        if hasattr(self.table, "embeddings"):
            return ops.convert_to_tensor(self.table.embeddings)
        return ops.transpose(ops.convert_to_tensor(self.table.kernel))

    def compute_output_spec(self, inputs):
        shape = (inputs[0].shape[0], self.words.shape[0])
        return keras.KerasTensor(shape, dtype="float32")

    def compute_mask(self, inputs, mask=None):
        return None

    def get_config(self):
        return not_alone(self)


def cloze_model(t, words, mask_id, activation="softmax"):
    """A Keras classifier: how likely each word stands where a text has mask tokens.

    t: a built Transformer with a masked-language-model head; words: ids (C, K), a
    word of K tokens for each of C classes; mask_id: id of the mask token, which every
    text must have K times, see `training.Cloze`.
    Inputs as of t.model -> (B, C), probabilities among the C words: the product over
    their tokens (https://arxiv.org/abs/2001.07676, https://kexue.fm/archives/7764). The
    logits of other words are never computed. Train it with
    "sparse_categorical_crossentropy" as any classifier; its weights are those of t.
    Raises ValueError for a model without the head, and for ids not of shape (C, K).
    """
    _check_head(t, "cloze_model")
    words = np.asarray(words)
    if words.ndim != 2 or words.dtype.kind not in "iu" or not words.size:
        raise ValueError(
            "words must be the ids (C, K) of C words of K tokens each. Received: an "
            f"array of shape {words.shape} and dtype {words.dtype}"
        )
    if words.min() < 0 or words.max() >= t.vocab_size:
        raise ValueError(
            f"words must be ids below vocab_size={t.vocab_size}. Received ids from "
            f"{words.min()} to {words.max()}: are they of another tokenizer?"
        )
    scores = WordScores(*t.vocabulary_layers(), words, mask_id)
    x = scores([t.states()[-1], t.model.inputs[0]])
    x = keras.layers.Activation(activation, dtype="float32", name="Cloze")(x)
    return keras.Model(t.model.inputs, x)


def masked_training_model(t, chunk=512):
    """A Keras model whose loss is that of chosen tokens: masked language modelling.

    t: a built Transformer with a masked-language-model head; chunk: tokens whose logits
    exist at once. Inputs: those of t.model, Input-Target (B, T), the ids to predict,
    and Input-Weight (B, T), how much each counts, 0 for tokens that were not hidden.
    Train with `compile(optimizer)` and batches (inputs, None); the output is the states
    (B, T, E). Raises ValueError for a model without the head.
    """
    _check_head(t, "masked_training_model")
    inputs = list(t.model.inputs)
    shape = inputs[0].shape[1:]
    targets = keras.Input(shape, name="Input-Target", dtype="int32")
    weights = keras.Input(shape, name="Input-Weight", dtype="float32")
    loss = VocabularyLoss(*t.vocabulary_layers(), chunk=chunk)
    outputs = loss([t.states()[-1], targets, weights])
    return keras.Model([*inputs, targets, weights], outputs)


def _check_head(t, function):
    if not getattr(t, "with_mlm", False) or t.visibility != "encoder":
        raise ValueError(
            f"{function} needs a masked language model. Build this "
            f"{type(t).__name__} with with_mlm=True and no application."
        )
