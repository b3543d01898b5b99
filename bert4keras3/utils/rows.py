"""RowPacker: which text goes into which row, first fit, nothing lost."""

from collections.abc import Callable, Iterator

AHEAD = 64  # texts that may wait while later ones fill the gaps


class RowPacker:
    """Collect items into rows and hand out full batches of rows.

    rows, length, texts: rows of a batch, tokens of a row, most items of a row;
    size_of: item -> its tokens. An item goes into the first row where it fits. One
    that fits nowhere waits; when 64 wait, or nothing more can come, the batch is full
    and the next one begins with what waits.
    """

    def __init__(self, rows: int, length: int, texts: int, size_of: Callable):
        self.rows, self.length, self.texts = rows, length, texts
        self.size_of = size_of
        self.waiting: dict[int, list] = {}  # the one key is what `Passes` writes down
        self._begin()

    def _begin(self) -> None:
        self.batch = [[] for _ in range(self.rows)]
        self.free = [self.length] * self.rows

    def add(self, item) -> Iterator[list]:
        """Add an item; yield the batches that are full, lists of rows of items."""
        self._opened()
        yield from self._full()
        if not self._fitted(item):
            self.waiting.setdefault(0, []).append(item)
        yield from self._full()

    def _opened(self) -> None:
        """Put what waits into an empty batch."""
        if any(self.batch):
            return
        waiting = self.waiting.pop(0, [])
        left = [item for item in waiting if not self._fitted(item)]
        if left:
            self.waiting[0] = left

    def _fitted(self, item) -> bool:
        size = self.size_of(item)
        for row, free in enumerate(self.free):
            if size <= free:
                self.batch[row].append(item)
                full = len(self.batch[row]) == self.texts
                self.free[row] = 0 if full else free - size
                return True
        return False

    def _full(self) -> Iterator[list]:
        while len(self.waiting.get(0, ())) >= AHEAD or not any(self.free):
            batch = self.batch
            self._begin()
            self._opened()
            yield batch

    def left_over(self) -> list:
        """The items that no batch has had yet, in the order in which they go on."""
        placed = [item for row in self.batch for item in row]
        return placed + self.waiting.get(0, [])

    def wait(self) -> None:
        """Take the open batch apart: all that is left waits, as after a restart."""
        left = self.left_over()
        self._begin()
        self.waiting = {0: left} if left else {}

    def numbers(self) -> list:
        """What waits, as [0, numbers], of items that are (number, sample)."""
        return [[key, [number for number, _ in d]] for key, d in self.waiting.items()]

    def emptied(self) -> Iterator[list]:
        """Yield the last batches, not full; nothing waits any more."""
        self._opened()
        while any(self.batch):
            batch = [row for row in self.batch if row]
            self._begin()
            self._opened()
            yield batch
