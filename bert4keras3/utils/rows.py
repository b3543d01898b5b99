"""RowPacker: which texts go into which row, so that rows are full and none is lost."""

from collections.abc import Callable, Iterator, Sequence

AHEAD = 64  # texts a row is chosen from


class RowPacker:
    """Collect items into rows and hand out full batches of rows.

    shapes: (rows, length) of a batch, and of one with longer rows for the items that
    are too long for the first, if there are such; texts: most items of a row;
    size_of: item -> its tokens, at most the last length. Items wait in the order in
    which they come. When 64 wait, the first of them gets a row, together with those of
    the others that fill it best. Long items wait for as many as there are long rows.
    """

    def __init__(self, shapes: Sequence[tuple], texts: int, size_of: Callable):
        self.shapes, self.texts, self.size_of = shapes, texts, size_of
        self.waiting: dict[int, list] = {0: [], 1: []}  # short, long
        self.batch: list[list] = []  # open rows of the first shape

    def add(self, item) -> Iterator[list]:
        """Add an item; yield the batches that are full, lists of rows of items."""
        is_long = self.size_of(item) > self.shapes[0][1]
        self.waiting[int(is_long)].append(item)
        yield from self._filled(AHEAD)

    def _filled(self, ahead: int) -> Iterator[list]:
        """Fill rows as long as `ahead` short items wait."""
        short, long = self.waiting[0], self.waiting[1]
        while len(short) >= ahead:
            if len(long) >= self.shapes[-1][0]:
                yield self._long_batch()
                continue
            self.batch.append(self._row(0))
            if len(self.batch) == self.shapes[0][0]:
                batch, self.batch = self.batch, []
                yield batch

    def _long_batch(self) -> list:
        count = min(self.shapes[-1][0], len(self.waiting[1]))
        return [self._row(1) for _ in range(count)]

    def _row(self, kind: int) -> list:
        """The first item of a kind that waits, and the short ones that go with it."""
        first, short = self.waiting[kind].pop(0), self.waiting[0]
        items = [first, *short[: AHEAD - 1]]
        length = self.shapes[kind][1]
        chosen = best_row([self.size_of(item) for item in items], length, self.texts)
        for i in reversed(chosen[1:]):
            del short[i - 1]
        return [items[i] for i in chosen]

    def left_over(self) -> list:
        """The short items that no batch has had yet, in the order they go on in."""
        return [item for row in self.batch for item in row] + self.waiting[0]

    def wait(self) -> None:
        """Take the open batch apart: all that is left waits, as after a restart."""
        self.waiting[0], self.batch = self.left_over(), []

    def numbers(self) -> list:
        """What waits, as [kind, numbers], of items that are (number, sample)."""
        return [[k, [number for number, _ in d]] for k, d in self.waiting.items()]

    def emptied(self) -> Iterator[list]:
        """Yield the last batches, not full; nothing waits any more."""
        while self.waiting[1]:
            yield self._long_batch()
        yield from self._filled(1)
        if self.batch:
            batch, self.batch = self.batch, []
            yield batch


def best_row(sizes: Sequence[int], length: int, texts: int) -> list[int]:
    """Indices, rising, of at most `texts` sizes that come nearest to `length` in sum.

    The first one is among them. Of exact fits the one that needs no later sizes than
    others is taken, so that the order changes little. Bit s of an integer says whether
    the sum s is possible (with that many sizes of those seen so far).
    """
    inside = (1 << length + 1) - 1
    sums = [0] * (texts + 1)
    sums[1] = 1 << sizes[0]
    history = [sums]
    for seen, size in enumerate(sizes[1:], 1):
        if max(sums) >> length:
            break
        before, sums = sums, list(sums)
        for count in range(min(seen, texts - 1), 0, -1):
            sums[count + 1] |= before[count] << size & inside
        history.append(sums)
    count = max(range(len(sums)), key=lambda n: sums[n].bit_length())
    total, chosen = sums[count].bit_length() - 1, []
    for i in range(len(history) - 1, 0, -1):
        if not history[i - 1][count] >> total & 1:
            chosen.append(i)
            total, count = total - sizes[i], count - 1
    return [0, *reversed(chosen)]
