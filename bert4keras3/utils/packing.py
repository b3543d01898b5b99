"""PackedGenerator: several short texts in one row; and predictions one text a row."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from bert4keras3.utils.bucketed import BucketedGenerator
from bert4keras3.utils.data import DataGenerator
from bert4keras3.utils.positions import Passes
from bert4keras3.utils.rows import RowPacker

COUNTED = 2000  # samples that are encoded to count the batches of a pass


class PackedGenerator(BucketedGenerator):
    """Fill rows of `length` tokens with several texts each, for a packed model.

    batch_size: R, rows of a batch; length: T, tokens of a row; texts: N, the most
    texts in one row, default length // 8; encode, seed and the rest: those of
    `BucketedGenerator`, whose inputs must all have the same length here.

    Batches are ((ids, segments, ..., starts), labels, weights): inputs (R, T) filled
    up with 0; starts int32 (R, N), where each text begins, T where there is none;
    labels (R, N, ...), each of them if they are a tuple; weights float32 (R, N), 1 for
    a text and 0 for none, as often as there are labels. Compile with
    `reduction="mean_with_sample_weight"` of the loss and `weighted_metrics`. Every
    batch has these shapes: one program. Without labels a batch is (inputs, None).

    `forfit(random=True)` yields full batches only. Texts come in random order, and 64
    of them wait at any time: the first gets a row together with those that fill it
    best. What is left after a pass opens the next one.
    `__iter__` comes to an end with rows that are not full, in order if not `random`.
    For other labels, as spans need, override `collate`.
    Raises ValueError for a text of more than `length` tokens.
    """

    noted = ("length", "texts")

    def __init__(
        self,
        data,
        batch_size: int = 32,
        buffer_size: int | None = None,
        *,
        length: int = 128,
        texts: int | None = None,
        encode: Callable | None = None,
        seed: int | None = None,
    ):
        self.length = length
        self.texts = max(1, length // 8) if texts is None else texts
        if length < 1 or self.texts < 1:
            raise ValueError(
                "length and texts must be at least 1. Received: "
                f"length={length}, texts={texts}"
            )
        self._batches = None
        options = {"encode": encode, "buckets": (length,), "seed": seed}
        super().__init__(data, batch_size, buffer_size, **options)

    @property
    def steps(self) -> int | None:
        """Batches of one pass over data with a length, None over others.

        The lengths of up to 2000 samples, spread evenly, are packed to count them:
        exact for fewer, else off by about a percent. They are encoded for that once,
        when the number is first asked for.
        """
        if self._batches is None and hasattr(self.data, "__len__"):
            self._batches = self._counted()
        return self._batches

    @steps.setter
    def steps(self, value):
        """The base class counts batches of batch_size samples; they are others here."""

    def _counted(self) -> int:
        total = len(self.data)
        chosen = np.unique(np.linspace(0, total - 1, min(total, COUNTED)).astype(int))
        packer, full = self._packer(), 0
        for number in chosen:
            full += len(list(packer.add(self.numbered(int(number)))))
        rest = packer.left_over()
        places, tokens = len(rest) / self.texts, sum(map(self._size, rest))
        full += max(places, tokens / self.length) / self.batch_size
        return int(np.ceil(full * total / max(len(chosen), 1)))

    def _packer(self) -> RowPacker:
        return RowPacker(self.batch_size, self.length, self.texts, self._size)

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
            yield from map(self._batch, packer.add(numbered))

    def _in_order(self) -> Iterator[list]:
        """Rows of the samples one after another; a row ends where one does not fit."""
        rows, free = [[]], self.length
        for pair in self._encoded(random=False):
            size = self._size((None, pair))
            if size > free or len(rows[-1]) == self.texts:
                if len(rows) == self.batch_size:
                    yield rows
                    rows = []
                rows.append([])
                free = self.length
            rows[-1].append((None, pair))
            free -= size
        yield rows

    def _size(self, numbered: tuple) -> int:
        """Tokens of one sample. Raises ValueError if they fit no row."""
        number, pair = numbered
        size, (inputs, _) = self._longest(pair), pair
        name = "a sample" if number is None else f"sample {number}"
        if min(map(len, inputs)) != size or not size:
            raise ValueError(
                f"{name} has inputs of {[len(x) for x in inputs]} items: in a packed "
                "row they must be as long as each other, and not empty."
            )
        if size > self.length:
            raise ValueError(
                f"{name} is a sequence of {size} items, longer than a row "
                f"(length={self.length}). Truncate it (Tokenizer.encode takes maxlen) "
                "or raise length."
            )
        return size

    def _batch(self, rows: Iterable[list]) -> tuple:
        """A batch of rows of (number, pair)."""
        filled = []
        for row in rows:
            offset, texts = 0, []
            for numbered in row:
                inputs, label = numbered[1]
                texts.append((offset, inputs, label))
                offset += self._longest(numbered[1])
            filled.append(texts)
        filled += [[] for _ in range(self.batch_size - len(filled))]
        return self.collate(filled)

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
            return inputs, self._placed(labels), weights
        parts = range(len(labels[0][2]))
        made = tuple(self._placed([(r, n, x[i]) for r, n, x in labels]) for i in parts)
        return inputs, made, tuple(weights for _ in parts)

    def inputs(self, rows: list[list[tuple]]) -> tuple:
        """Arrays (R, T) of the inputs and starts (R, N), int32, of `collate`'s rows."""
        count = len(next(row for row in rows if row)[0][1])
        arrays = [np.zeros((len(rows), self.length), "int32") for _ in range(count)]
        starts = np.full((len(rows), self.texts), self.length, "int32")
        starts[:, 0] = 0
        for i, row in enumerate(rows):
            for n, (offset, inputs, _) in enumerate(row):
                starts[i, n] = offset
                for array, one in zip(arrays, inputs, strict=True):
                    array[i, offset : offset + len(one)] = one
        return (*arrays, starts)

    def _placed(self, labels: Sequence[tuple]) -> np.ndarray:
        """Array (R, N, ...) of labels (row, place, label), 0 elsewhere."""
        values = self._labels([label for _, _, label in labels], self.length)
        shape = (self.batch_size, self.texts, *values.shape[1:])
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
