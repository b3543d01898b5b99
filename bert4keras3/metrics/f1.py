"""F1 from counts: of the spans of GlobalPointer, of the classes of a multi-label head.

B batch, H heads (types), T tokens, K labels (padded), C classes.
"""

import keras
from keras import ops

from bert4keras3.backend.losses import (
    check_pairs,
    class_numbers,
    first_of_equals,
    flat_pairs,
    marked,
)

AVERAGES = ("micro", "macro", None)
register = keras.saving.register_keras_serializable(package="bert4keras3")


class CountedF1(keras.metrics.Metric):
    """F1 = 2 hits / (predicted + gold), counted per type over all batches.

    average: "micro" counts all types together, "macro" is the mean over types, None
    gives one value per type. A type neither predicted nor in the gold labels has 0,
    as in scikit-learn. threshold: what is above it is predicted.
    """

    def __init__(self, average, threshold, sparse, name, dtype=None):
        super().__init__(name=name, dtype=dtype)
        if average not in AVERAGES:
            raise ValueError(
                f"average must be one of {AVERAGES}. Received: {average!r}"
            )
        self.average = average
        self.threshold = threshold
        self.sparse = sparse
        self.hits = self.predicted = self.gold = None

    def add_counts(self, hits, predicted, gold, sample_weight=None):
        """Add counts (B, types), each sample times its weight (B,)."""
        if self.hits is None:
            shape = (hits.shape[-1],)
            self.hits, self.predicted, self.gold = (
                self.add_variable(shape=shape, initializer="zeros", name=name)
                for name in ("hits", "predicted", "gold")
            )
        counters = (self.hits, self.predicted, self.gold)
        for counter, counts in zip(counters, (hits, predicted, gold), strict=True):
            counts = ops.cast(counts, counter.dtype)
            if sample_weight is not None:
                weights = ops.cast(sample_weight, counter.dtype)
                counts = counts * ops.reshape(weights, (-1, 1))
            counter.assign(counter + ops.sum(counts, axis=0))

    def result(self):
        if self.hits is None:
            return ops.zeros(())
        return self._share(2 * self.hits, self.predicted + self.gold)

    def precision(self):
        """Hits / predicted, averaged like the result."""
        return self._share(self.hits, self.predicted)

    def recall(self):
        """Hits / gold, averaged like the result."""
        return self._share(self.hits, self.gold)

    def _share(self, part, whole):
        if self.average == "micro":
            part, whole = ops.sum(part), ops.sum(whole)
        share = ops.divide_no_nan(part, whole)
        return ops.mean(share) if self.average == "macro" else share

    def get_config(self):
        return {
            **super().get_config(),
            "average": self.average,
            "threshold": self.threshold,
            "sparse": self.sparse,
        }


@register
class SpanF1(CountedF1):
    """F1 of spans: first token, last token and type must agree.

    y_true: index pairs (B, H, K, 2), filler (0, 0), or if not sparse 0/1 matrices
    (B, H, T, T); y_pred: (B, H, T, T) from GlobalPointer, -inf where masked;
    special_tokens: the first and the last visible token ([CLS], [SEP]) are in no
    span; average, threshold: see `CountedF1`. Cell (0, 0) is never counted.
    """

    def __init__(
        self,
        average="micro",
        threshold=0.0,
        sparse=True,
        special_tokens=True,
        name="span_f1",
        dtype=None,
    ):
        super().__init__(average, threshold, sparse, name, dtype)
        self.special_tokens = special_tokens

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_pred = ops.convert_to_tensor(y_pred)
        predicted = ops.logical_and(y_pred > self.threshold, self._countable(y_pred))
        shape = ops.shape(y_pred)
        predicted = ops.reshape(predicted, (*shape[:2], shape[2] * shape[3]))
        count = self._of_pairs if self.sparse else self._of_matrix
        hits, gold = count(y_true, predicted, shape)
        self.add_counts(hits, _number(predicted), gold, sample_weight)

    def _of_pairs(self, y_true, predicted, shape):
        check_pairs(y_true, predicted.shape[1])
        ids, inside = flat_pairs(y_true, shape[-1])
        size = shape[2] * shape[3]
        rows = (shape[0] * shape[1], ops.shape(ids)[-1])
        flat = ops.reshape(ops.clip(ids, 0, size - 1), rows)
        gold = ops.reshape(first_of_equals(flat, mask_zero=True), ops.shape(ids))
        gold = ops.logical_and(gold, inside)
        ids = ops.reshape(flat, ops.shape(ids))
        # Gathered as numbers: not every backend gathers booleans.
        found = ops.take_along_axis(ops.cast(predicted, "int32"), ids, axis=-1) > 0
        return _number(ops.logical_and(found, gold)), _number(gold)

    def _of_matrix(self, y_true, predicted, shape):
        if len(y_true.shape) != 4 or y_true.shape[1] != predicted.shape[1]:
            raise ValueError(
                "SpanF1(sparse=False) needs label matrices of the shape of the scores "
                f"{tuple(shape)}. Received: y_true {tuple(y_true.shape)}"
            )
        gold = ops.reshape(ops.cast(y_true, "float32") > 0.5, ops.shape(predicted))
        gold = ops.logical_and(gold, ops.arange(ops.shape(gold)[-1]) > 0)
        return _number(ops.logical_and(predicted, gold)), _number(gold)

    def _countable(self, y_pred):
        """Cells that may hold a span: bool, broadcastable to (B, H, T, T)."""
        steps = ops.arange(ops.shape(y_pred)[-1], dtype="int32")
        if not self.special_tokens:
            return ops.logical_or(steps[:, None] > 0, steps[None] > 0)
        # A token is visible where its span of length one has a score.
        scores = ops.diagonal(y_pred[:, 0], axis1=1, axis2=2)
        visible = scores > float("-inf")
        last = ops.max(ops.where(visible, steps, 0), axis=-1, keepdims=True)
        inner = ops.logical_and(steps > 0, steps < last)
        return ops.logical_and(inner[:, None, :, None], inner[:, None, None, :])

    def get_config(self):
        return {**super().get_config(), "special_tokens": self.special_tokens}


@register
class MultilabelF1(CountedF1):
    """F1 of a multi-label head trained with the ZLPR loss.

    y_true: 0/1 labels (..., C), or if sparse class numbers (..., K); y_pred: (..., C)
    scores; mask_zero: of sparse labels, 0 is padding and class 0 is not counted;
    average, threshold: see `CountedF1`. sample_weight has one value per row.
    """

    def __init__(
        self,
        average="micro",
        threshold=0.0,
        sparse=False,
        mask_zero=False,
        name="multilabel_f1",
        dtype=None,
    ):
        super().__init__(average, threshold, sparse, name, dtype)
        self.mask_zero = mask_zero

    def update_state(self, y_true, y_pred, sample_weight=None):
        classes = y_pred.shape[-1]
        y_pred = ops.reshape(ops.convert_to_tensor(y_pred), (-1, classes))
        predicted = y_pred > self.threshold
        gold = self._gold(y_true, predicted)
        hits = ops.logical_and(predicted, gold)
        start = 1 if self.sparse and self.mask_zero else 0
        counts = [ops.cast(x[:, start:], "int32") for x in (hits, predicted, gold)]
        self.add_counts(*counts, sample_weight)

    def _gold(self, y_true, predicted):
        if self.sparse:
            classes = predicted.shape[-1]
            ids, _ = class_numbers(y_true, classes)
            rows = (ops.shape(predicted)[0], ops.shape(ids)[-1])
            ids = ops.reshape(ops.clip(ids, 0, classes - 1), rows)
            return marked(ids, ops.shape(predicted))
        if y_true.shape[-1] != predicted.shape[-1]:
            raise ValueError(
                "MultilabelF1 needs a 0/1 label per class, or sparse=True and class "
                f"numbers. Received: y_true {tuple(y_true.shape)} for "
                f"{predicted.shape[-1]} classes"
            )
        return ops.reshape(ops.cast(y_true, "float32") > 0.5, ops.shape(predicted))

    def get_config(self):
        return {**super().get_config(), "mask_zero": self.mask_zero}


def _number(x):
    """How many are True: bool (B, H, N) -> int32 (B, H)."""
    return ops.sum(ops.cast(x, "int32"), axis=-1)
