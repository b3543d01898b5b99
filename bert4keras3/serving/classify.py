"""Classify: the classes of texts or pairs, by a Keras model with a head.

B texts, C classes.
"""

from keras import Model

from bert4keras3.layers import Embedding, PositionEmbedding
from bert4keras3.serving.tasks import Task, check_vocabulary, finite


class Classify(Task):
    """Classifies texts, or pairs of texts.

    model: Keras model of token ids, or token ids and segment ids, with scores (B, C)
    for C >= 2 classes, such as `keras.models.load_model("sentiment.keras")`;
    tokenizer: as in training; labels: names of the classes, default "0", "1", ...;
    maxlen, batch_size: see `Task`. Raises ValueError for another kind of model.

        Classify(model, tokenizer, ["差评", "好评"])(["房间很干净"])
    """

    name = "classify"

    def __init__(self, model, tokenizer, labels=None, maxlen=None, batch_size=32):
        shape = getattr(model, "output_shape", None)
        if not isinstance(shape, tuple) or len(shape) != 2 or (shape[1] or 0) < 2:
            raise ValueError(
                "Classify needs a Keras model with one output of shape (B, C), scores "
                f"of C >= 2 classes. Received the output shape {shape}."
            )
        if len(model.inputs) > 2:
            raise ValueError(
                "Classify gives a model token ids and segment ids. Received a model "
                f"with the inputs {[one.name for one in model.inputs]}."
            )
        self.labels = list(labels or map(str, range(shape[1])))
        if len(self.labels) != shape[1]:
            raise ValueError(
                f"The model has {shape[1]} classes. Received labels: {self.labels}"
            )
        sizes = [
            one.input_dim ** (2 if one.hierarchical else 1)
            for one in _layers(model, PositionEmbedding)
        ]
        super().__init__(tokenizer, min(sizes, default=None), maxlen, batch_size)
        tables = [one.input_dim for one in _layers(model, Embedding)]
        # The largest table is that of the tokens, beside those of segments and such.
        check_vocabulary(tokenizer, max(tables, default=None))
        self.model = model

    def __call__(self, texts, truncate=False):
        """For each text {"label": the best class, "scores": {label: score}}.

        texts: list of str or of pairs of str; truncate: cut what is longer than
        maxlen, for which a ValueError is raised otherwise. Scores are what the model
        says: probabilities if it ends with softmax.
        """
        return self.results([self.prepare(one, truncate) for one in texts], truncate)

    def prepare(self, item, settings=False):
        """Ids of a text or pair; settings: truncate."""
        first, second = (item, None) if isinstance(item, str) else item
        return self.encoded(first, second, truncate=settings)

    def fake(self, length):
        """A text."""
        return self.fake_ids(length)

    def run(self, samples, settings=False):
        """One call of the model."""
        pad = getattr(self.tokenizer, "_token_pad_id", 0)
        arrays = list(self.arrays(samples, pad)[: len(self.model.inputs)])
        scores = self.model.predict_on_batch(arrays if len(arrays) > 1 else arrays[0])
        rows = finite(scores)[: len(samples)].tolist()
        return [self._result(row) for row in rows]

    def _result(self, row):
        scores = dict(zip(self.labels, row, strict=True))
        return {"label": max(scores, key=scores.get), "scores": scores}


def _layers(model, cls):
    """The layers of that class, of models inside too."""
    for layer in model.layers:
        if isinstance(layer, Model):
            yield from _layers(layer, cls)
        elif isinstance(layer, cls):
            yield layer
