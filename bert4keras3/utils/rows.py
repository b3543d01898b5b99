"""RowPacker: which texts go into which row, so that rows are full and none is lost."""

from collections.abc import Callable, Iterator, Sequence

AHEAD = 64  # texts a row is chosen from


class RowPacker:
    """Collect items into rows and hand out full batches of rows.

    rows, length, texts: rows of a batch, tokens of a row, most items of a row;
    size_of: item -> its tokens, at most `length`. Items wait in the order in which
    they come. When 64 wait, the first of them gets a row, together with those of the
    others that fill it best.
    """

    def __init__(self, rows: int, length: int, texts: int, size_of: Callable):
        self.rows, self.length, self.texts = rows, length, texts
        self.size_of = size_of
        self.waiting: dict[int, list] = {0: []}  # one key, as `Passes` has buckets
        self.batch: list[list] = []

    def add(self, item) -> Iterator[list]:
        """Add an item; yield the batches that are full, lists of rows of items."""
        self.size_of(item)  # an error is about this item, not about its batch
        self.waiting[0].append(item)
        yield from self._filled(AHEAD)

    def _filled(self, ahead: int) -> Iterator[list]:
        """Fill rows as long as `ahead` items wait."""
        waiting = self.waiting[0]
        while len(waiting) >= ahead:
            sizes = [self.size_of(item) for item in waiting[:AHEAD]]
            chosen = best_row(sizes, self.length, self.texts)
            self.batch.append([waiting[i] for i in chosen])
            for i in reversed(chosen):
                del waiting[i]
            if len(self.batch) == self.rows:
                batch, self.batch = self.batch, []
                yield batch

    def left_over(self) -> list:
        """The items that no batch has had yet, in the order in which they go on."""
        return [item for row in self.batch for item in row] + self.waiting[0]

    def wait(self) -> None:
        """Take the open batch apart: all that is left waits, as after a restart."""
        self.waiting, self.batch = {0: self.left_over()}, []

    def numbers(self) -> list:
        """What waits, as [0, numbers], of items that are (number, sample)."""
        return [[0, [number for number, _ in self.waiting[0]]]]

    def emptied(self) -> Iterator[list]:
        """Yield the last batches, not full; nothing waits any more."""
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
