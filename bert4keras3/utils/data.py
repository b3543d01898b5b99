"""DataGenerator: batches for `model.fit` in bert4keras's idiom."""

import functools
import importlib
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from bert4keras3.utils.grouping import BucketGrouper, grouped
from bert4keras3.utils.padding import LengthBuckets
from bert4keras3.utils.parallel import prefetch as run_ahead
from bert4keras3.utils.positions import Passes


def tuples(batch):
    """Turn lists into tuples at the top two levels, which is what Keras takes.

    Keras refuses lists from a generator on TensorFlow; bert4keras scripts yield
    `[token_ids, segment_ids], labels`. Arrays of float64, such as np.zeros makes,
    become float32: Keras narrows the arrays given to `fit`, those of a generator not.
    """
    if not isinstance(batch, (list, tuple)):
        return _narrow(batch)
    return tuple(
        tuple(map(_narrow, part)) if isinstance(part, (list, tuple)) else _narrow(part)
        for part in batch
    )


def _narrow(x):
    is_double = isinstance(x, np.ndarray) and x.dtype == np.float64
    return x.astype("float32") if is_double else x


def repeat_rows(batches: Iterable, times: int = 2) -> Iterator[tuple]:
    """Yield batches with every row `times` times in a row, for R-Drop and SimCSE.

    batches: of (inputs, labels[, sample weights]), each an array (N, ...), a tuple or
    list of arrays or None, such as `generator.forfit()`. Rows 2i and 2i + 1 are then
    the same text, which dropout makes two.
    """

    def repeated(part):
        if part is None:
            return None
        if isinstance(part, (list, tuple)):
            return tuple(repeated(one) for one in part)
        return np.repeat(part, times, axis=0)

    for batch in batches:
        yield tuple(repeated(part) for part in batch)


class DataGenerator:
    """Base of data generators: subclass it and write `__iter__(self, random=False)`.

    data: a list-like with len() and [i], or an iterable that can start over.
    batch_size: samples in a batch; `__iter__` reads `self.batch_size`.
    buffer_size: samples in the shuffle buffer of an iterable without len();
        batch_size * 1000 by default.
    seed: None = numpy's global generator, as in bert4keras; an int = an own one.
    buckets, length_of: group samples of similar `length_of(sample)` while shuffling,
        so that each batch needs little padding; pass `length=self.buckets` to
        `sequence_padding`. Samples in order (random=False) are never regrouped.
    drop_remainder: leave out the last incomplete batch of every pass.
    """

    noted = ()  # further attributes that a checkpoint compares, see `Passes`

    def __init__(
        self,
        data,
        batch_size: int = 32,
        buffer_size: int | None = None,
        *,
        seed: int | None = None,
        buckets: LengthBuckets | Sequence[int] | None = None,
        length_of: Callable | None = None,
        drop_remainder: bool = False,
    ):
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1. Received {batch_size}.")
        self.data = data
        self.batch_size = batch_size
        self.buffer_size = buffer_size or batch_size * 1000
        if buckets is not None and not isinstance(buckets, LengthBuckets):
            buckets = LengthBuckets(buckets)
        self.buckets = buckets
        self.length_of = length_of
        self.drop_remainder = drop_remainder
        self.rng = np.random if seed is None else np.random.RandomState(seed)
        self.passes = None

    @functools.cached_property
    def steps(self) -> int | None:
        """Batches of one pass over data with len(), None over others."""
        if not hasattr(self.data, "__len__"):
            return None
        full, rest = divmod(len(self.data), self.batch_size)
        return full + (rest > 0 and not self.drop_remainder)

    def __len__(self) -> int:
        """Number of batches in one pass."""
        if self.steps is None:
            raise TypeError(
                f"{type(self).__name__} has no length: its data "
                f"({type(self.data).__name__}) has none. Pass steps_per_epoch by hand."
            )
        return self.steps

    def __iter__(self, random: bool = False) -> Iterator:
        raise NotImplementedError(
            f"{type(self).__name__} must define __iter__(self, random=False) that "
            "yields batches made from self.sample(random)."
        )

    def sample(self, random: bool = False) -> Iterator[tuple[bool, object]]:
        """Yield (is_end, sample) for one pass over the data.

        Raises ValueError if there is no sample to yield.
        """
        stream = self._shuffled() if random else iter(self.data)
        if random and self.buckets is not None and self.length_of is not None:
            stream = self._regrouped(stream)
        if self.drop_remainder:
            stream = self._full_batches(stream)
        current = next(stream, self)  # `self` marks the absence of a sample
        if current is self:
            raise ValueError(self._nothing_to_yield())
        for following in stream:
            yield False, current
            current = following
        yield True, current

    def _nothing_to_yield(self) -> str:
        name = type(self).__name__
        if self.drop_remainder:
            return (
                f"{name} has fewer samples than batch_size={self.batch_size}, so "
                "drop_remainder=True leaves nothing. Lower batch_size or keep the rest."
            )
        return (
            f"{name} got no sample from its data ({type(self.data).__name__}). Check "
            "the file or list it comes from; an iterator that can be read only once "
            "must be replaced by an object whose __iter__ starts over."
        )

    def _shuffled(self) -> Iterator:
        """One pass in random order; without len() through a shuffle buffer."""
        if hasattr(self.data, "__len__"):
            yield from (self.data[number] for number in self._order())
            return
        buffer, filled = [], False
        for item in self.data:
            buffer.append(item)
            if filled:
                yield buffer.pop(self.rng.randint(len(buffer)))
            elif len(buffer) == self.buffer_size:
                filled = True
        while buffer:
            yield buffer.pop(self.rng.randint(len(buffer)))

    def _order(self) -> Iterator[int]:
        return map(int, self.rng.permutation(len(self.data)))

    def _regrouped(self, stream: Iterable) -> Iterator:
        """Reorder samples so that every batch_size in a row share a bucket."""
        grouper = BucketGrouper(self.batch_size)
        for batch in grouped(stream, self._bucket, grouper):
            yield from batch
        yield from grouper.rest()

    def _bucket(self, item) -> int:
        return self.buckets.index(self.length_of(item))

    def _full_batches(self, stream: Iterable) -> Iterator:
        batch = []
        for item in stream:
            batch.append(item)
            if len(batch) == self.batch_size:
                yield from batch
                batch = []

    def forfit(self, random: bool = True, prefetch: int = 0) -> Iterator[tuple]:
        """Yield batches for ever, as tuples, for `model.fit`.

        prefetch: batches prepared ahead in a background thread; 0 = none.
        """
        batches = self._stream(random)
        return run_ahead(batches, prefetch) if prefetch else batches

    def _stream(self, random: bool) -> Iterator[tuple]:
        if self.passes is None:
            yield from self._endless(random)
        else:
            yield from self.passes.batches(self._endless(random, self.passes))

    def recorded(self, state: dict | None = None) -> Passes:
        """Record the next stream of `forfit`, for a checkpoint in the middle of it.

        state: what `Passes.at` returned in another process: the stream starts there.
        Raises ValueError if the data or the batch size are others.
        """
        self.passes = Passes(self, state)
        return self.passes

    def _endless(self, random: bool, passes: Passes | None = None) -> Iterator[tuple]:
        while True:
            if passes is not None:
                passes.begin()
            batch = None
            for batch in self.__iter__(random):
                yield tuples(batch)
            if batch is None:
                raise ValueError(
                    f"{type(self).__name__}.__iter__ yielded no batch in a whole pass "
                    "over its data. Check that it yields when the batch is full or "
                    "is_end is true."
                )

    def fortest(self, random: bool = False, prefetch: int = 0) -> Iterator:
        """Yield the inputs of batches for ever, for `model.predict`.

        Several inputs come as ((token_ids, segment_ids),): Keras would take a bare
        pair for inputs and labels.
        """
        inputs = (batch[0] for batch in self._endless(random))
        batches = ((x,) if isinstance(x, tuple) else x for x in inputs)
        return run_ahead(batches, prefetch) if prefetch else batches

    def to_dataset(self, types, shapes, names=None, padded_batch: bool = False):
        """Return a tf.data.Dataset; `__iter__` must yield single samples then.

        types, shapes: nested like a sample; names: None, a name, a list of names, or a
        list of such lists, which turns (the parts of) samples into dicts.
        """
        tf = _tensorflow()
        types, shapes = tuples(types), tuples(shapes)

        def samples():
            for sample in self.forfit():
                yield sample if names is None else _named(names, sample)

        if names is not None:
            types, shapes = _named(names, types), _named(names, shapes)
        if padded_batch:
            dataset = tf.data.Dataset.from_generator(samples, output_types=types)
            return dataset.padded_batch(self.batch_size, shapes)
        dataset = tf.data.Dataset.from_generator(
            samples, output_types=types, output_shapes=shapes
        )
        return dataset.batch(self.batch_size)


def _named(names, values):
    """Attach names to values: one name, a list of them, or a list of such lists."""
    if isinstance(names, str):
        return {names: values}
    if isinstance(names[0], str):
        return dict(zip(names, values, strict=True))
    return tuple(
        dict(zip(keys, parts, strict=True))
        for keys, parts in zip(names, values, strict=True)
    )


def _tensorflow():
    """Import tensorflow, the only optional package this file needs."""
    try:
        return importlib.import_module("tensorflow")
    except ImportError as error:
        raise ImportError(
            "to_dataset makes a tf.data.Dataset and needs tensorflow: "
            "pip install tensorflow, or pass generator.forfit() to model.fit."
        ) from error
