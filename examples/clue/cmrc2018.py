"""CMRC 2018: questions whose answers are pieces of a passage.

cmrc2018/train.json, dev.json, test.json: SQuAD 1.1, without "answers" in
test. Scores are EM and F1 by CMRC's rule.
Dev, 10 epochs (published with GAU-alpha, exact span of the best window): BERT 56.17,
RoBERTa-wwm-ext 56.54, RoFormer 56.26, RoFormerV2 57.91, GAU-alpha 58.09.
    python -m examples.clue.cmrc2018 --data FOLDER --checkpoint FOLDER
"""

from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from bert4keras3.extraction import (
    passage_windows,
    read_squad,
    reading_scores,
    window_text,
)
from bert4keras3.layers import GlobalPointer
from bert4keras3.utils import BucketedGenerator
from bert4keras3.utils.prediction import predict_each
from examples.clue.task import Task


class Features(NamedTuple):
    """Questions, their windows, and of every window the inputs and its passage's place.

    inputs: (token_ids, segment_ids, readable) of [CLS] question [SEP] window [SEP];
    readable is 1 where a span may begin and end: in the window, and at [CLS], which
    stands for "not here". begins: first token of the window.
    """

    questions: list
    windows: list
    inputs: list[tuple]
    begins: list[int]


def span_crossentropy(places, scores):
    """Softmax over all spans: places (B, 2), scores (B, 1, T, T) -> (B,).

    What is masked counts as -1e9: -inf times 0 would be NaN.
    """
    size, places = ops.shape(scores)[-1], ops.cast(places, "int32")
    flat = ops.reshape(ops.maximum(scores, -1e9), (-1, size * size))
    right = places[:, :1] * size + places[:, 1:]
    return ops.logsumexp(flat, axis=1) - ops.take_along_axis(flat, right, axis=1)[:, 0]


def best_spans(scores, rows):
    """[(score, first, last), ...]: the best span of every window but (0, 0).

    Its score is that of the span less that of (0, 0), "not here": windows of a question
    are compared by how much more likely the answer is in them than not.
    """
    count, size = len(rows), scores.shape[-1]
    flat = scores.reshape(count, size * size)
    best = flat[:, size:].argmax(axis=1) + size  # [CLS] begins no answer
    odds = flat[np.arange(count), best] - flat[:, 0]
    return list(zip(odds.tolist(), *np.divmod(best, size), strict=True))


class CMRC2018(Task):
    """GlobalPointer of one head over question and window; the best window answers."""

    name = "cmrc2018"
    train = ("train.json", "cmrc2018_train.json")
    dev = ("dev.json", "cmrc2018_dev.json")
    tests = {"test.json": "cmrc2018_predict.json"}
    metric = "em"
    maxlen, batch_size = 512, 16

    def read(self, path, labelled=True):
        """See `Task`; the samples are questions."""
        questions = read_squad(path)
        for one in questions:
            if not one.passage.strip() or labelled and not one.answers:
                missing = "answers" if one.passage.strip() else "passage"
                raise ValueError(f"{path}: question {one.id!r} has no {missing}")
        return questions

    def encode(self, samples):
        """See `Features`; a question may take half of the tokens."""
        encode, half = self.tokenizer.encode, self.maxlen // 2
        asked = [encode(one.question, maxlen=half)[0] for one in samples]
        sizes = [self.maxlen - len(ids) - 1 for ids in asked]
        windows = passage_windows(self.tokenizer, samples, sizes, self.maxlen // 4)
        begins = [len(asked[window.row]) for window in windows]
        inputs = []
        for window, begin in zip(windows, begins, strict=True):
            question, count = asked[window.row], len(window.token_ids)
            ids = [*question, *window.token_ids, question[-1]]
            readable = [1] + [0] * (begin - 1) + [1] * count + [0]
            inputs.append((ids, [0] * len(ids), readable))
        return Features(samples, windows, inputs, begins)

    def batches(self, features, seed):
        """Windows and, of the answer, first and last token: (0, 0) if not inside."""
        _, windows, inputs, begins = features
        places = [
            [begin + place for place in window.answer] if window.answer else [0, 0]
            for window, begin in zip(windows, begins, strict=True)
        ]
        pairs = list(zip(inputs, places, strict=True))
        return BucketedGenerator(pairs, self.batch_size, seed=seed)

    def build(self, steps):
        """Encoder and a pointer that sees the window and [CLS]."""
        bert = self.encoder()
        readable = keras.Input((None,), dtype="int32", name="Input-Readable")
        pointer = GlobalPointer(1, bert.attention_head_size, use_bias=False)
        scores = pointer(bert.model.output, mask=readable)
        model = keras.Model([*bert.model.inputs, readable], scores)
        return self.compiled(model, span_crossentropy, steps)

    def predict(self, model, features):
        """Texts of answers."""
        questions, windows, inputs, begins = features
        spans = predict_each(model, inputs, best_spans, 32)
        best = {}
        for number, (window, span) in enumerate(zip(windows, spans, strict=True)):
            best[window.row] = max(best.get(window.row, (-np.inf,)), (*span, number))
        found = []
        for row, question in enumerate(questions):
            _, *places, number = best[row]
            inside = (place - begins[number] for place in places)
            found.append(window_text(question, windows[number], *inside))
        return found

    def score(self, samples, predictions):
        """Exact match and F1."""
        return reading_scores(predictions, samples)

    def majority(self, train, dev):
        """The beginning of the passage, as long as answers are in the middle."""
        size = int(np.median([len(one.answers[0].text) for one in train]))
        return [one.passage[:size] for one in dev]

    def answers(self, samples, predictions):
        """{question id: answer}."""
        return {one.id: text for one, text in zip(samples, predictions, strict=True)}


if __name__ == "__main__":
    from examples.clue.run import main

    main(only="cmrc2018")
