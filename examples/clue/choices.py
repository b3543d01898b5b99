"""Questions with options: each option is scored by itself, the best is the answer."""

from collections import Counter
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from bert4keras3.layers import Dense
from bert4keras3.utils import GroupedGenerator
from bert4keras3.utils.prediction import predict_each
from examples.clue.task import Task

NO_OPTION = -1.0  # in labels, for a question that has fewer options than others


class Question(NamedTuple):
    """id: as the submission names it; context: what a task needs besides the options;
    options: texts; label: number of the right one, or None.
    """

    id: object
    context: tuple
    options: tuple[str, ...]
    label: int | None


def choice_loss(y_true, y_pred):
    """Cross entropy (B,) of the softmax over the options of each question.

    y_true: (B * n, n), in every row of a question 1 for its right option, 0 for the
    others, -1 for those it lacks; y_pred: (B * n, 1) scores.
    """
    n = ops.shape(y_true)[-1]
    targets = ops.reshape(y_true, (-1, n, n))[:, 0]
    scores = ops.cast(ops.reshape(y_pred, (-1, n)), "float32")
    scores = ops.where(targets < 0, -1e9, scores)
    right = ops.cast(targets > 0, "float32")
    return -ops.sum(right * ops.log_softmax(scores, axis=-1), axis=-1)


class Choices(Task):
    """A task whose samples are `Question`s; predictions are logs of probabilities."""

    def texts(self, sample) -> list[str]:
        """The texts of the context whose tokens `row` needs."""
        raise NotImplementedError

    def row(self, sample, option: str, tokens: dict[str, list[int]]) -> list[int]:
        """Token ids of an option with its context; tokens: {text: ids}."""
        raise NotImplementedError

    def encode(self, samples):
        """[(texts, label), ...]: (token_ids, segment_ids) of every option."""
        texts = {x for one in samples for x in (*self.texts(one), *one.options)}
        texts = sorted(texts)  # a set has another order in every process
        encoded, _ = self.tokenizer.encode_batch(texts, as_lists=True)
        tokens = {x: ids[1:-1] for x, ids in zip(texts, encoded, strict=True)}
        self.start, self.end = self.tokenizer.encode("")[0]
        features = []
        for sample in samples:
            rows = [self.row(sample, option, tokens) for option in sample.options]
            features.append(([(ids, [0] * len(ids)) for ids in rows], sample.label))
        return features

    def batches(self, features, seed):
        """Length buckets; a batch has batch_size questions, with all their options."""
        most = max(len(texts) for texts, _ in features)

        def encode(feature):
            texts, right = feature
            label = [float(i == right) for i in range(len(texts))]
            missing = most - len(texts)
            return [*texts, *[([], [])] * missing], [*label, *[NO_OPTION] * missing]

        return GroupedGenerator(features, self.batch_size, encode=encode, seed=seed)

    def build(self, steps):
        """Encoder, vector, a score: the same model for any number of options."""
        bert, vectors = self.text_vectors()
        score = Dense(1, kernel_initializer=bert.initializer, dtype="float32")
        output = score(vectors)
        return self.compiled(keras.Model(bert.model.inputs, output), choice_loss, steps)

    def predict(self, model, features):
        """Logs of the probabilities (n,) of every question's options."""
        rows = [text for texts, _ in features for text in texts]
        decode = lambda outputs, _: list(outputs[:, 0])  # noqa: E731
        scores = np.array(predict_each(model, rows, decode, 8 * self.batch_size))
        ends = np.cumsum([len(texts) for texts, _ in features])
        questions = np.split(scores.astype("float64"), ends[:-1])
        return [one - np.logaddexp.reduce(one) for one in questions]

    def choose(self, samples, predictions) -> list[int]:
        """The number of the option taken for every question: the likeliest."""
        return [int(np.argmax(one)) for one in predictions]

    def score(self, samples, predictions):
        """Accuracy."""
        return {"accuracy": accuracy(samples, self.choose(samples, predictions))}

    def majority(self, train, dev):
        """The number that was right most often, of those a question has."""
        counts = Counter(sample.label for sample in train)
        return [
            np.log([counts[i] + 1e-6 for i in range(len(sample.options))])
            for sample in dev
        ]


def accuracy(samples, chosen) -> float:
    """Share of the questions whose right option was chosen."""
    right = [one.label == number for one, number in zip(samples, chosen, strict=True)]
    return float(np.mean(right))
