"""Precision, recall and F1 of sets: spans, tags, words, relations, events, labels.

All scores are 0 where the denominator is 0 (nothing predicted, or nothing to find).
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from operator import attrgetter

import numpy as np

from bert4keras3.extraction.labels import Labels
from bert4keras3.extraction.spans import same_count
from bert4keras3.extraction.tags import decode_tags
from bert4keras3.extraction.words import check_words

TRIGGER = "触发词"


def ratios(correct: int, predicted: int, gold: int) -> dict[str, float]:
    """Return precision, recall and f1 of counts, with the counts themselves."""
    return {
        "precision": correct / predicted if predicted else 0.0,
        "recall": correct / gold if gold else 0.0,
        "f1": 2 * correct / (predicted + gold) if predicted + gold else 0.0,
        "correct": int(correct),
        "predicted": int(predicted),
        "gold": int(gold),
    }


class F1:
    """Counts how many items are found, over any number of batches.

    kind: function of an item that gives its type, for scores of every type; or the
        name of the attribute with the type, such as "label"; None = one type only.
    normalise: function of an item that gives what is compared, such as a lower-cased
        copy; None leaves it out where the item is to be ignored.

    Items are hashable; in one text equal ones count once.
    """

    def __init__(
        self,
        kind: str | Callable[..., Hashable] | None = None,
        normalise: Callable | None = None,
    ):
        self.kind = attrgetter(kind) if isinstance(kind, str) else kind
        self.normalise = normalise
        self.reset()

    def reset(self) -> None:
        """Forget all counts."""
        self.correct: Counter = Counter()
        self.predicted: Counter = Counter()
        self.gold: Counter = Counter()

    def update(self, gold: Sequence[Iterable], predicted: Sequence[Iterable]) -> None:
        """Count a batch: the items of every text, and those predicted for it."""
        same_count("gold", len(gold), "predicted", len(predicted))
        pairs = [
            (self._set(a, "gold", row), self._set(b, "predicted", row))
            for row, (a, b) in enumerate(zip(gold, predicted, strict=True))
        ]
        for right, guess in pairs:
            self.gold.update(map(self._kind_of, right))
            self.predicted.update(map(self._kind_of, guess))
            self.correct.update(map(self._kind_of, right & guess))

    def _kind_of(self, item) -> Hashable:
        try:
            return None if self.kind is None else self.kind(item)
        except AttributeError as error:
            raise TypeError(
                f"items must tell their type, but of {item!r} {error}. Use Entity or "
                "TokenSpan instead of plain tuples, or F1(kind=function)."
            ) from error

    def _set(self, items, what: str, row: int) -> set:
        """The distinct items of one text; raises TypeError if they cannot be a set."""
        if isinstance(items, str):
            raise TypeError(
                f"{what}[{row}] must be a list of items. Received the str {items!r}."
            )
        if self.normalise is not None:
            items = [one for one in map(self.normalise, items) if one is not None]
        try:
            return set(items)
        except TypeError as error:
            raise TypeError(
                f"{what}[{row}] must be a list of hashable items such as tuples: "
                f"{error}. Use tuple(item), or normalise=tuple."
            ) from error

    def result(self) -> dict:
        """Return the scores of all that was counted.

        precision, recall, f1: over all items (micro); correct, predicted, gold: their
        counts; macro_precision, macro_recall, macro_f1: means over the types that were
        seen; types: of every type the six micro values.
        """
        kinds = sorted(self.gold.keys() | self.predicted.keys(), key=str)
        result = _summary(kinds, self.correct, self.predicted, self.gold)
        if self.kind is None:
            result["types"] = {}
        return result


def _summary(kinds: Iterable[Hashable], *counts) -> dict:
    """The result for types and three mappings: correct, predicted, gold."""
    types = {kind: ratios(*(count[kind] for count in counts)) for kind in kinds}
    totals = ("correct", "predicted", "gold")
    result = ratios(*(sum(one[name] for one in types.values()) for name in totals))
    for name in ("precision", "recall", "f1"):
        values = [scores[name] for scores in types.values()]
        result[f"macro_{name}"] = sum(values) / len(values) if values else 0.0
    return {**result, "types": types}


def span_f1(gold: Sequence[Iterable], predicted: Sequence[Iterable]) -> dict:
    """Score entities (or token spans): right where boundaries and label are."""
    return _scored(F1("label"), gold, predicted)


def _scored(score: F1, gold, predicted) -> dict:
    score.update(gold, predicted)
    return score.result()


def tag_f1(
    gold,
    predicted,
    tags: Labels | None = None,
    lengths=None,
    strict: str | None = None,
) -> dict:
    """Score tag sequences by their spans, as seqeval does.

    gold, predicted, tags, lengths, strict: as in `decode_tags`. Where the ids of `gold`
    are negative (padding), those of `predicted` do not count.
    Raises ValueError if a text has another number of gold than of predicted tags.
    """
    same_count("gold", len(gold), "predicted", len(predicted))
    cut = []
    for row, (right, guess) in enumerate(zip(gold, predicted, strict=True)):
        if len(right) != len(guess):
            raise ValueError(
                f"text {row} has {len(right)} gold tags and {len(guess)} predicted "
                "ones. Cut off padding, or pad both to one length."
            )
        right, guess = np.asarray(right), np.asarray(guess)
        is_ids = len(right) and right.dtype.kind in "iu"
        cut.append(np.where(right < 0, -1, guess) if is_ids else guess)
    spans = (decode_tags(rows, tags, lengths, strict) for rows in (gold, cut))
    return _scored(F1("label"), *spans)


def word_f1(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> dict:
    """Score segmentations: a word is right where both of its boundaries are.

    Blanks do not count. Raises ValueError if the words are not of the same text.
    """
    same_count("gold", len(gold), "predicted", len(predicted))
    pairs: list[tuple[list, list]] = []
    for row, both in enumerate(zip(gold, predicted, strict=True)):
        for words in both:
            check_words(words, row)
        right, guess = (["".join(word.split()) for word in words] for words in both)
        if "".join(right) != "".join(guess):
            raise ValueError(
                f"the words of text {row} differ in more than their boundaries: "
                f"{''.join(right)[:40]!r} and {''.join(guess)[:40]!r}."
            )
        pairs.append((_word_spans(right), _word_spans(guess)))
    return _scored(F1(), *([pair[k] for pair in pairs] for k in (0, 1)))


def _word_spans(words: list[str]) -> list[tuple[int, int]]:
    """Start and end of the words in their text."""
    ends = np.cumsum([len(word) for word in words], dtype="int64").tolist()
    spans = zip([0, *ends], ends, strict=False)
    return [(start, end) for start, end in spans if start < end]


def relation_f1(
    gold: Sequence[Iterable],
    predicted: Sequence[Iterable],
    normalise: Callable | None = None,
) -> dict:
    """Score relations, (subject, predicate, object) in this order.

    Subject and object are whatever is to be equal: spans or texts. The types of the
    result are the predicates. normalise: as in `F1`.
    """
    return _scored(F1(lambda item: item[1], normalise), gold, predicted)


def event_f1(
    gold: Sequence[Iterable],
    predicted: Sequence[Iterable],
    require_trigger: bool = False,
    trigger: str = TRIGGER,
) -> dict:
    """Score whole events: right where the type and all arguments are.

    An event is (type, arguments), an argument a tuple that begins with its role; order
    and repetition of arguments do not matter.
    require_trigger: predicted events without an argument of the role `trigger` are left
        out, as in DuEE's event-level score of bert4keras.
    """
    found = predicted
    if require_trigger:
        found = [[e for e in row if has_trigger(e, trigger)] for row in predicted]
    return _scored(F1(lambda item: item[0], _whole_event), gold, found)


def has_trigger(event, trigger: str = TRIGGER) -> bool:
    """Tell whether one of the arguments of an event is a trigger."""
    return any(argument[0] == trigger for argument in event[1])


def _whole_event(event) -> tuple:
    return event[0], frozenset(map(tuple, event[1]))


def argument_f1(
    gold: Sequence[Iterable], predicted: Sequence[Iterable], trigger: str = TRIGGER
) -> dict:
    """Score the arguments of events, without the triggers.

    Right is an argument of the same event type that is equal; whether arguments share
    an event does not matter. Events as in `event_f1`; types are the event types.
    """
    flat = ([_arguments(row, trigger) for row in rows] for rows in (gold, predicted))
    return _scored(F1(lambda item: item[0]), *flat)


def _arguments(events, trigger: str) -> list[tuple]:
    """(event type, role, ...) of all arguments but the triggers."""
    every = ((event[0], *argument) for event in events for argument in event[1])
    return [argument for argument in every if argument[1] != trigger]


class ClassF1:
    """Precision, recall and F1 of 0/1 matrices, over any number of batches.

    names: one for each label (column), for the types of the result; or their number.
    """

    def __init__(self, names: Iterable[Hashable] | int):
        self.labels = Labels(range(names) if isinstance(names, int) else names)
        self.reset()

    def reset(self) -> None:
        """Forget all counts."""
        self.correct = np.zeros(len(self.labels), "int64")
        self.predicted, self.gold = self.correct.copy(), self.correct.copy()

    def update(self, gold, predicted) -> None:
        """Count a batch; gold, predicted: (B, H) of 0 and 1 (or bool)."""
        arrays = []
        for what, array in (("gold", gold), ("predicted", predicted)):
            array = np.asarray(array)
            if array.ndim != 2 or array.shape[1] != len(self.labels):
                raise ValueError(
                    f"{what} must have the shape (B, {len(self.labels)}), one column "
                    f"for every label. Received {array.shape}."
                )
            if not ((array == 0) | (array == 1)).all():
                raise ValueError(
                    f"{what} must hold 0 and 1 only. Compare scores with a threshold "
                    "first: scores > 0."
                )
            arrays.append(array.astype(bool))
        same_count("gold", len(arrays[0]), "predicted", len(arrays[1]))
        self.correct += (arrays[0] & arrays[1]).sum(0)
        self.gold += arrays[0].sum(0)
        self.predicted += arrays[1].sum(0)

    def result(self) -> dict:
        """As `F1.result`; macro means are over all labels, seen or not."""
        arrays = (self.correct, self.predicted, self.gold)
        counts = [dict(zip(self.labels, a.tolist(), strict=True)) for a in arrays]
        return _summary(self.labels, *counts)


def multilabel_f1(gold, predicted, names: Iterable[Hashable] | int | None = None):
    """Score 0/1 matrices (B, H); names of the labels, or None for their numbers."""
    score = ClassF1(np.asarray(gold).shape[-1] if names is None else names)
    score.update(gold, predicted)
    return score.result()
