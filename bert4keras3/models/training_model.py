"""The model that trains a language model, without the logits of a whole batch."""

import keras
from keras import ops

from bert4keras3.layers.base import Layer, register
from bert4keras3.layers.dense import Dense
from bert4keras3.layers.embeddings import real_tokens
from bert4keras3.layers.vocabulary import LabelLoss, VocabularyLoss


@register
class NextTokens(Layer):
    """Labels and weights of a language model: (ids one to the left, weights).

    kind: "unilm" weighs the tokens of segment 1, others every real token; pad_token_id:
    see `real_tokens`. Called with [ids (B, T), segments] ("unilm") or [ids, ids], and
    further weights (B, T) to multiply with.
    """

    def __init__(self, kind="lm", pad_token_id=0, **kwargs):
        super().__init__(**kwargs)
        self.kind = kind
        self.pad_token_id = pad_token_id

    def call(self, inputs):
        ids, second, *given = inputs
        if self.kind == "unilm":
            weights = ops.cast(second > 0, "float32")
        else:
            weights = ops.cast(real_tokens(ids, self.pad_token_id), "float32")
        for one in given:
            weights = weights * ops.cast(one, "float32")
        return tuple(self.shifted(one) for one in (ids, weights))

    @staticmethod
    def shifted(x):
        """Column t has what stands at t + 1, the last one 0."""
        return ops.pad(x[:, 1:], [[0, 0], [0, 1]])

    def compute_output_spec(self, inputs):
        shape = inputs[0].shape
        kinds = ("int32", "float32")
        return tuple(keras.KerasTensor(shape, dtype=one) for one in kinds)

    def compute_mask(self, inputs, mask=None):
        return None


def training_model(
    t, smoothing=0.0, topk=None, weights=False, chunk=512, copying=False
):
    """A Keras model of the Transformer's inputs whose loss is that of its next tokens.

    t: a built Transformer that generates; smoothing: label smoothing; topk: sparse
    softmax of the k largest logits (https://kexue.fm/archives/8046); weights: take
    one more input, Input-Weight (B, T), of the tokens as targets, which families that
    know no padding need (GPT-2, Llama); chunk: tokens whose logits exist at once;
    copying: also train a head for the copy mechanism of the same article, on one more
    input, Input-Copy (B, T), the labels of `utils.copying.copy_labels` at the tokens
    they belong to. UniLM counts the tokens of segment 1, others all but padding.
    Train with `compile(optimizer)` and batches (inputs, None). The output is that of
    the model's pooler (B, D) or next-sentence head, and a loss of it in `compile` is
    added to that of the tokens: one pass serves both. Without such a head it is the
    states (B, T, E). Raises ValueError for a model without a vocabulary head.
    """
    model = t.language_model
    inputs = list(t.model.inputs)
    *pooled, states = t.states()
    ids = inputs[1] if model.reads_memory else inputs[0]
    segments = inputs[1] if model.visibility == "unilm" else ids
    extra = []
    if weights:
        shape = (model.sequence_length,)
        extra = [keras.Input(shape, name="Input-Weight", dtype="float32")]
    labels, shares = NextTokens(model.visibility, model.pad_token_id)(
        [ids, segments, *extra]
    )
    if copying:
        given = keras.Input((model.sequence_length,), name="Input-Copy", dtype="int32")
        extra.append(given)
        model.copy_layer = model.get(Dense, "Copy-Label", units=3, dtype="float32")
        copied = NextTokens.shifted(given)
        states = LabelLoss(model.copy_layer)([states, copied, shares])
    loss = VocabularyLoss(*model.vocabulary_layers(), smoothing, topk, chunk)
    outputs = loss([states, labels, shares, *pooled])
    return keras.Model([*inputs, *extra], outputs)
