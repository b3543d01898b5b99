"""BucketedGenerator: length buckets without writing `__iter__`; pairs and groups."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from bert4keras3.utils.data import DataGenerator
from bert4keras3.utils.grouping import BucketGrouper, grouped
from bert4keras3.utils.padding import LENGTHS, LengthBuckets, sequence_padding
from bert4keras3.utils.positions import Passes


class BucketedGenerator(DataGenerator):
    """Encode samples, group them by length and pad each batch to a bucket.

    encode: sample -> (inputs, labels), for example
        `lambda d: (tokenizer.encode(d[0], maxlen=128), d[1])`; None if data holds
        such pairs already. inputs: a tuple of sequences; labels: a number, a list of
        fixed size, a tuple of these, or None.
    buckets: the lengths batches are padded to; XLA compiles once for each.
    pad_labels: labels (or those in the tuple that are no numbers) are sequences as
        long as the inputs; pad them with label_value.
    The other arguments are those of `DataGenerator`.

    `forfit(random=True)` yields full batches only: what is left after a pass opens the
    next one, so no more shapes occur than there are buckets and no sample is lost.
    `__iter__` (and forfit(random=False)) ends with one incomplete batch.
    """

    def __init__(
        self,
        data,
        batch_size: int = 32,
        buffer_size: int | None = None,
        *,
        encode: Callable | None = None,
        buckets: LengthBuckets | Sequence[int] = LENGTHS,
        pad_labels: bool = False,
        label_value: int = 0,
        seed: int | None = None,
    ):
        super().__init__(data, batch_size, buffer_size, seed=seed, buckets=buckets)
        self.encode = encode
        self.pad_labels = pad_labels
        self.label_value = label_value

    def recorded(self, state: dict | None = None) -> Passes:
        """See `DataGenerator.recorded`; the samples need numbers."""
        if not hasattr(self.data, "__len__"):
            raise TypeError(
                "A checkpoint notes the samples that wait for the next pass by their "
                f"numbers, and {type(self.data).__name__} has none. Pass data with "
                "len() and [i], such as a list."
            )
        return super().recorded(state)

    def __iter__(self, random: bool = False) -> Iterator[tuple]:
        if random:
            grouper = BucketGrouper(self.batch_size)
            for batch in self._groups(grouper):
                yield self.collate(batch)
            batch = [pair for _, pair in grouper.rest()]
        else:
            batch = []
            for item in self._encoded(random=False):
                batch.append(item)
                if len(batch) == self.batch_size:
                    yield self.collate(batch)
                    batch = []
        if batch:
            yield self.collate(batch)

    def _endless(self, random: bool, passes: Passes | None = None) -> Iterator[tuple]:
        if not random:
            yield from super()._endless(random, passes)
        grouper = BucketGrouper(self.batch_size)
        while True:
            if passes is not None:
                passes.begin(grouper)
            for batch in self._groups(grouper):
                yield self.collate(batch)

    def _groups(self, grouper: BucketGrouper) -> Iterator[list]:
        for batch in grouped(self._shuffled_pairs(), self._bucket, grouper):
            yield [pair for _, pair in batch]

    def _shuffled_pairs(self) -> Iterator[tuple]:
        """(number of the sample, encoded sample), None without numbers, shuffled."""
        if not hasattr(self.data, "__len__") or not len(self.data):
            yield from ((None, pair) for pair in self._encoded(random=True))
        else:
            yield from map(self.numbered, self._order())

    def numbered(self, number: int) -> tuple:
        """(number, encoded sample of that number)."""
        return number, self._pair(self.data[number])

    def _encoded(self, random: bool) -> Iterator[tuple]:
        for _, item in self.sample(random):
            yield self._pair(item)

    def _pair(self, item) -> tuple:
        """(inputs, labels) of one sample."""
        return item if self.encode is None else self.encode(item)

    def _bucket(self, numbered) -> int:
        return self.buckets.index(self._longest(numbered[1]))

    @staticmethod
    def _longest(pair) -> int:
        """Length of the longest input of one sample."""
        inputs, _ = pair
        if not all(hasattr(x, "__len__") for x in inputs):
            raise TypeError(
                "a sample must be (inputs, labels), and inputs a tuple of sequences. "
                f"Received inputs={inputs!r}. Write ((ids,), label) for a single input."
            )
        return max(len(x) for x in inputs)

    def collate(self, pairs: list[tuple]) -> tuple:
        """Return ((N, L) arrays of the inputs, arrays of the labels) of one batch."""
        length = self.buckets.fit(max(map(self._longest, pairs)))
        columns = zip(*(inputs for inputs, _ in pairs), strict=True)
        inputs = tuple(sequence_padding(column, length) for column in columns)
        labels = [label for _, label in pairs]
        if labels[0] is None:
            return inputs, None
        if isinstance(labels[0], tuple):
            parts = zip(*labels, strict=True)
            return inputs, tuple(self._labels(list(p), length) for p in parts)
        return inputs, self._labels(labels, length)

    def _labels(self, labels: list, length: int) -> np.ndarray:
        if self.pad_labels and hasattr(labels[0], "__len__"):
            return sequence_padding(labels, length, self.label_value)
        array = np.array(labels)
        return array.astype("int32") if array.dtype == np.int64 else array


class GroupedGenerator(BucketedGenerator):
    """Batches of samples of several texts: of n texts, in rows n * i to n * i + n - 1.

    encode: sample -> (texts, label): each text a tuple of sequences such as
        tokenizer.encode returns, label as in `BucketedGenerator`; it is repeated for
        every row. None if data holds such pairs already.
    batch_size: samples, not rows. All texts of a batch are padded to the same bucket.
    The other arguments are those of `BucketedGenerator`.
    """

    def _bucket(self, numbered) -> int:
        texts, _ = numbered[1]
        return self.buckets.index(max(self._longest((text, None)) for text in texts))

    def collate(self, pairs: list[tuple]) -> tuple:
        """Return ((rows, L) arrays of the inputs, labels of all rows) of one batch."""
        return super().collate(
            [(text, label) for texts, label in pairs for text in texts]
        )


class PairedGenerator(GroupedGenerator):
    """Batches of pairs of texts: sample i is in rows 2i and 2i + 1.

    encode: sample -> (first, second, label), see `GroupedGenerator`. None if data
        holds such triples already.
    The other arguments are those of `BucketedGenerator`.
    """

    def _pair(self, item) -> tuple:
        first, second, label = super()._pair(item)
        return (first, second), label
