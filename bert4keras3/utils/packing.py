"""PackedGenerator: several short texts in one row; and predictions one text a row."""

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from bert4keras3.utils.bucketed import BucketedGenerator
from bert4keras3.utils.data import DataGenerator
from bert4keras3.utils.positions import Passes
from bert4keras3.utils.rows import RowPacker

COUNTED = 2000  # samples that are encoded to count the batches of a pass


def tokens_of(numbered: tuple) -> int:
    """Tokens of a sample (number, (inputs, label))."""
    return len(numbered[1][0][0])


class PackedGenerator(BucketedGenerator):
    """Fill rows of `length` tokens with several texts each, for a packed model.

    batch_size: R, rows of a batch; length: T, tokens of a row, or a pair (T, L): the
    few texts that are longer than T come in batches of R * T // L rows of L tokens,
    shorter ones among them, so that the others need not pay for long rows; texts: N,
    the most texts in one row, default T // 8; encode, seed and the rest: those of
    `BucketedGenerator`, whose inputs must all have the same length here.

    Batches are ((ids, segments, ..., starts), labels, weights): inputs (R, T) filled
    up with 0; starts int32 (R, N), where each text begins, T where there is none;
    labels (R, N, ...), each of them if they are a tuple; weights float32 (R, N), 1 for
    a text and 0 for none, as often as there are labels. Compile with
    `reduction="mean_with_sample_weight"` of the loss and `weighted_metrics`. Every
    batch has these shapes: one program, two with a pair of lengths. Without labels a
    batch is (inputs, None).

    `forfit(random=True)` yields full batches only. Texts come in random order, and 64
    of them wait at any time: the first gets a row together with those that fill it
    best. What is left after a pass opens the next one.
    `__iter__` comes to an end with rows that are not full, in order if not `random`.
    For other labels, as spans need, override `collate`.
    Raises ValueError for a text of more tokens than a row, and bad lengths.
    """

    noted = ("length", "texts")

    def __init__(
        self,
        data,
        batch_size: int = 32,
        buffer_size: int | None = None,
        *,
        length: int | Sequence[int] = 128,
        texts: int | None = None,
        encode: Callable | None = None,
        seed: int | None = None,
    ):
        # As JSON keeps it, for the comparison with a checkpoint.
        self.length = length if isinstance(length, int) else list(length)
        self.lengths = [length] if isinstance(length, int) else self.length
        rising = self.lengths == sorted(set(self.lengths)) and len(self.lengths) < 3
        self.texts = texts
        if texts is None and self.lengths:
            self.texts = max(1, self.lengths[0] // 8)
        if not self.lengths or self.lengths[0] < 1 or not rising or self.texts < 1:
            raise ValueError(
                "length must be at least 1, or a pair of such that rises, and texts at "
                f"least 1. Received: length={length}, texts={texts}"
            )
        options = {"encode": encode, "buckets": self.lengths, "seed": seed}
        super().__init__(data, batch_size, buffer_size, **options)

    @functools.cached_property
    def steps(self) -> int | None:
        """Batches of one pass over data with len(), None over others.

        The lengths of up to 2000 samples, spread evenly, are packed to count them:
        exact for fewer, else off by about a percent. They are encoded for that once,
        when the number is first asked for.
        """
        if not hasattr(self.data, "__len__"):
            return None
        total = len(self.data)
        chosen = np.unique(np.linspace(0, total - 1, min(total, COUNTED)).astype(int))
        packer, full = self._packer(), 0
        for number in chosen:
            item = self._checked(self.numbered(int(number)))
            full += len(list(packer.add(item)))
        rest = [*packer.left_over(), *packer.waiting[1]]
        places, tokens = len(rest) / self.texts, sum(map(tokens_of, rest))
        full += max(places, tokens / self.lengths[0]) / self.batch_size
        return int(np.ceil(full * total / max(len(chosen), 1)))

    def _packer(self) -> RowPacker:
        return RowPacker(self._shapes(), self.texts, tokens_of)

    def _shapes(self) -> list[tuple]:
        """(rows, length) of the batches: as many tokens in long rows as in others."""
        tokens = self.batch_size * self.lengths[0]
        return [(max(1, tokens // length), length) for length in self.lengths]

    def __iter__(self, random: bool = False) -> Iterator[tuple]:
        if not random:
            yield from map(self._batch, self._in_order())
            return
        packer = self._packer()
        yield from self._packed(packer)
        yield from map(self._batch, packer.emptied())

    def _endless(self, random: bool, passes: Passes | None = None) -> Iterator[tuple]:
        if not random:
            yield from DataGenerator._endless(self, random, passes)
        packer = self._packer()
        while True:
            packer.wait()
            if passes is not None:
                passes.begin(packer)
            yield from self._packed(packer)

    def _packed(self, packer: RowPacker) -> Iterator[tuple]:
        for numbered in self._shuffled_pairs():
            yield from map(self._batch, packer.add(self._checked(numbered)))

    def _in_order(self) -> Iterator[list]:
        """Rows of the samples one after another; a row ends where one does not fit."""
        count, length = self._shapes()[-1]
        rows, free = [[]], length
        for pair in self._encoded(random=False):
            size = tokens_of(self._checked((None, pair)))
            if size > free or len(rows[-1]) == self.texts:
                if len(rows) == count:
                    yield rows
                    rows = []
                rows.append([])
                free = length
            rows[-1].append((None, pair))
            free -= size
        yield rows

    def _checked(self, numbered: tuple) -> tuple:
        """The sample itself. Raises ValueError if it fits no row."""
        number, pair = numbered
        size, (inputs, _) = self._longest(pair), pair
        name = "a sample" if number is None else f"sample {number}"
        if min(map(len, inputs)) != size or not size:
            raise ValueError(
                f"{name} has inputs of {[len(x) for x in inputs]} items: in a packed "
                "row they must be as long as each other, and not empty."
            )
        if size > self.lengths[-1]:
            raise ValueError(
                f"{name} is a sequence of {size} items, longer than a row "
                f"(length={self.length}). Truncate it (Tokenizer.encode takes maxlen) "
                "or raise length."
            )
        return numbered

    def _batch(self, rows: Iterable[list]) -> tuple:
        """A batch of rows of (number, pair)."""
        filled = []
        for row in rows:
            offset, texts = 0, []
            for numbered in row:
                inputs, label = numbered[1]
                texts.append((offset, inputs, label))
                offset += tokens_of(numbered)
            filled.append(texts)
        length = self._row_length(filled)
        count = next(rows for rows, one in self._shapes() if one == length)
        filled += [[] for _ in range(count - len(filled))]
        return self.collate(filled)

    def _row_length(self, rows: list[list[tuple]]) -> int:
        """The length of a batch's rows: the shortest that holds every row."""
        ends = [offset + len(x[0]) for row in rows for offset, x, _ in row[-1:]]
        return next(length for length in self.lengths if length >= max(ends))

    def collate(self, rows: list[list[tuple]]) -> tuple:
        """Return (inputs, labels, weights) of R rows.

        rows: for each the list of its texts, (offset, inputs, label); offset: where
        the text begins in the row; the last rows may be empty. A subclass with other
        labels calls `self.inputs(rows)` and makes labels of its own.
        """
        inputs = self.inputs(rows)
        labels = [(r, n, x[2]) for r, row in enumerate(rows) for n, x in enumerate(row)]
        if labels[0][2] is None:
            return inputs, None
        weights = np.zeros((len(rows), self.texts), "float32")
        for row, place, _ in labels:
            weights[row, place] = 1.0
        if not isinstance(labels[0][2], tuple):
            return inputs, self._placed(labels, len(rows)), weights
        parts = range(len(labels[0][2]))
        made = tuple(
            self._placed([(r, n, x[i]) for r, n, x in labels], len(rows)) for i in parts
        )
        return inputs, made, tuple(weights for _ in parts)

    def inputs(self, rows: list[list[tuple]]) -> tuple:
        """Arrays (R, T) of the inputs and starts (R, N), int32, of `collate`'s rows."""
        count = len(next(row for row in rows if row)[0][1])
        length = self._row_length(rows)
        arrays = [np.zeros((len(rows), length), "int32") for _ in range(count)]
        starts = np.full((len(rows), self.texts), length, "int32")
        starts[:, 0] = 0
        for i, row in enumerate(rows):
            for n, (offset, inputs, _) in enumerate(row):
                starts[i, n] = offset
                for array, one in zip(arrays, inputs, strict=True):
                    array[i, offset : offset + len(one)] = one
        return (*arrays, starts)

    def _placed(self, labels: Sequence[tuple], rows: int) -> np.ndarray:
        """Array (R, N, ...) of labels (row, place, label), 0 elsewhere."""
        values = self._labels([label for _, _, label in labels], self.lengths[-1])
        shape = (rows, self.texts, *values.shape[1:])
        array = np.zeros(shape, values.dtype)
        for (row, place, _), value in zip(labels, values, strict=True):
            array[row, place] = value
        return array


class Unpacked:
    """A packed model that predicts one text a row, for `predict_each` and others.

    model: a Keras model whose last input is Input-Start (B, N) and which has
    `outputs`. `predict_on_batch(inputs)` takes the inputs before it and gives outputs
    without the axis of texts: (B, C) where the model gives (B, N, C).
    """

    def __init__(self, model):
        self.model = model

    def predict_on_batch(self, inputs):
        """Outputs of inputs (B, T), an array or a list of them, one text in a row."""
        inputs = list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]
        rows, length = np.shape(inputs[0])[:2]
        # The axis of texts is told from that of tokens by its size.
        starts = np.zeros((rows, 1), "int32")
        if length == 1:
            starts = np.tile(np.array([[0, 1]], "int32"), (rows, 1))
        outputs = self.model.predict_on_batch([*inputs, starts])
        if not isinstance(outputs, (list, tuple)):
            return self._first(outputs, self.model.outputs[0], starts.shape[1])
        return [
            self._first(one, symbol, starts.shape[1])
            for one, symbol in zip(outputs, self.model.outputs, strict=True)
        ]

    @staticmethod
    def _first(output, symbol, texts):
        free = len(symbol.shape) > 1 and symbol.shape[1] is None
        return output[:, 0] if free and output.shape[1] == texts else output
