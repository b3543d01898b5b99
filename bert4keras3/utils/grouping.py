"""Batches of samples of similar length, with few shapes and nothing lost."""

from collections.abc import Callable, Iterable, Iterator


class BucketGrouper:
    """Collect items by bucket and hand out full batches.

    Nothing is dropped: after a pass, `merged` makes full batches across buckets and
    fewer than batch_size items stay for the next pass (or for `rest`).
    """

    def __init__(self, batch_size: int):
        self.batch_size = batch_size
        self.waiting: dict[int, list] = {}

    def add(self, item, bucket: int) -> list | None:
        """Add an item; return the batch if that fills one."""
        items = self.waiting.setdefault(bucket, [])
        items.append(item)
        if len(items) < self.batch_size:
            return None
        return self.waiting.pop(bucket)

    def merged(self) -> Iterator[list]:
        """Yield full batches made of the leftovers of all buckets, longest first.

        Starting with the long ones leaves short samples over: their bucket fills
        soonest in the next pass, so no sample waits for many passes.
        """
        items = [
            (b, d) for b in sorted(self.waiting, reverse=True) for d in self.waiting[b]
        ]
        full = len(items) // self.batch_size * self.batch_size
        self.waiting = {}
        for bucket, item in items[full:]:
            self.waiting.setdefault(bucket, []).append(item)
        for i in range(0, full, self.batch_size):
            yield [item for _, item in items[i : i + self.batch_size]]

    def numbers(self) -> list:
        """What waits, as [bucket, numbers], of items that are (number, sample)."""
        return [[b, [number for number, _ in d]] for b, d in self.waiting.items()]

    def rest(self) -> list:
        """Return and forget what still waits, fewer than batch_size after `merged`."""
        items = [d for b in sorted(self.waiting, reverse=True) for d in self.waiting[b]]
        self.waiting = {}
        return items


def grouped(
    items: Iterable, bucket_of: Callable, grouper: BucketGrouper
) -> Iterator[list]:
    """Yield the full batches of one pass; the rest stays in `grouper`."""
    for item in items:
        batch = grouper.add(item, bucket_of(item))
        if batch is not None:
            yield batch
    yield from grouper.merged()
