"""Batches of similar length: nothing is lost and few shapes occur."""

from collections import Counter

import numpy as np
import pytest

from bert4keras3.snippets import (
    BucketedGenerator,
    DataGenerator,
    LengthBuckets,
    sequence_padding,
)

BUCKETS = (4, 8, 16)


def samples(count, longest=16, seed=0):
    """(token ids, label) with a mark of its own in every sample."""
    rng = np.random.default_rng(seed)
    sizes = np.minimum(rng.geometric(0.2, count), longest)
    return [([1 + i % 49] * int(n), i) for i, n in enumerate(sizes)]


def encode(sample):
    ids, number = sample
    return (ids, [0] * len(ids)), number


def generator(data, batch_size=8, **options):
    options = {"encode": encode, "buckets": BUCKETS, "seed": 0, **options}
    return BucketedGenerator(data, batch_size, **options)


@pytest.mark.parametrize("random", [False, True])
def test_one_pass_yields_every_sample_once(random):
    data = samples(101)
    seen = []
    for (ids, segments), numbers in generator(data).__iter__(random):
        assert ids.dtype == segments.dtype == numbers.dtype == np.int32
        assert ids.shape == segments.shape and ids.shape[1] in BUCKETS
        longest = max(len(data[i][0]) for i in numbers)
        assert ids.shape[1] == LengthBuckets(BUCKETS).fit(longest)
        for row, i in zip(ids.tolist(), numbers, strict=True):
            size = len(data[i][0])
            assert row == data[i][0] + [0] * (ids.shape[1] - size)
        seen.extend(numbers.tolist())
    assert sorted(seen) == list(range(101))
    assert (seen == list(range(101))) == (not random)


@pytest.mark.parametrize("count", [101, 5])
def test_endless_batches_are_full_and_fair(count):
    """What is left after a pass opens the next one, so that no sample falls behind."""
    batches = generator(samples(count)).forfit(prefetch=2)
    rounds = 40
    found = [next(batches) for _ in range(rounds * count // 8)]
    assert len({x[0].shape for x, _ in found}) <= len(BUCKETS)
    assert {len(numbers) for _, numbers in found} == {8}
    times = Counter(int(i) for _, numbers in found for i in numbers)
    assert set(times) == set(range(count))
    assert max(times.values()) - min(times.values()) <= 8
    batches.close()


def test_grouping_saves_padding():
    data = samples(2000)
    grouped, plain = (
        sum(x[0].size for x, _ in generator(data, 32).__iter__(random))
        for random in (True, False)
    )
    assert grouped < 0.6 * plain
    needed = sum(LengthBuckets(BUCKETS).fit(len(ids)) for ids, _ in data)
    assert grouped < 1.1 * needed


def test_a_seed_repeats_the_batches():
    first, again, other = (
        [n.tolist() for _, n in generator(samples(50), seed=s).__iter__(True)]
        for s in (1, 1, 2)
    )
    assert first == again != other


def test_labels():
    data = [(([1, 2, 3],), ([5, 6, 7], 1.5)), (([1],), ([8], 2.5))]
    options = {"encode": None, "buckets": [4], "pad_labels": True, "label_value": -1}
    inputs, (tags, values) = next(iter(generator(data, 2, **options)))
    assert inputs[0].tolist() == [[1, 2, 3, 0], [1, 0, 0, 0]]
    assert tags.tolist() == [[5, 6, 7, -1], [8, -1, -1, -1]]
    assert values.tolist() == [1.5, 2.5]
    unlabelled = [(([1],), None)]
    assert next(iter(generator(unlabelled, 2, encode=None)))[1] is None


def test_samples_that_fit_nothing():
    with pytest.raises(ValueError, match="17 items .*largest bucket"):
        list(generator([([1] * 17, 0)]))
    with pytest.raises(TypeError, match=r"tuple of sequences.*\[1, 2\]"):
        list(generator([([1, 2], 0)], encode=None))


class Own(DataGenerator):
    """bert4keras's idiom, with lists, grouped by length while shuffling."""

    def __iter__(self, random=False):
        ids, labels = [], []
        for is_end, (one, number) in self.sample(random):
            ids.append(one)
            labels.append([number % 2])
            if len(ids) == self.batch_size or is_end:
                ids = sequence_padding(ids, self.buckets)
                yield [ids, np.zeros_like(ids)], sequence_padding(labels)
                ids, labels = [], []


def own(count, **options):
    return Own(samples(count), 8, seed=0, buckets=BUCKETS,
               length_of=lambda sample: len(sample[0]), **options)


def test_own_generators_group_too():
    shapes = [x[0].shape for x, _ in own(403).__iter__(True)]
    assert len(set(shapes)) <= len(BUCKETS) + 1  # the last batch is smaller
    assert sum(n for n, _ in shapes) == 403
    assert {n for n, _ in (x[0].shape for x, _ in own(403, drop_remainder=True))} == {8}
