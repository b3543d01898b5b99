"""Ordered label names and the count of spans that fit no token."""

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches


class Labels:
    """Distinct names in a fixed order: the id of a name is its place.

    names: str, or any hashable such as the pair (event type, role).
    Raises ValueError for no names or a repeated one, TypeError for a single str.
    """

    def __init__(self, names: Iterable[Hashable]):
        if isinstance(names, str):
            raise TypeError(
                f"labels must be a list of names. Received the str {names!r}; "
                f"write [{names!r}]."
            )
        self.names = tuple(names)
        self._ids = {name: i for i, name in enumerate(self.names)}
        if not self.names:
            raise ValueError("labels must hold at least one name. Received none.")
        if len(self._ids) < len(self.names):
            again = [n for i, n in enumerate(self.names) if self._ids[n] != i]
            raise ValueError(
                f"labels must be distinct. Received {again[0]!r} more than once."
            )

    @classmethod
    def of(cls, batch: Iterable[Iterable]) -> "Labels":
        """The sorted labels of the entities (or token spans) of a data set."""
        return cls(sorted({item.label for row in batch for item in row}))

    def id(self, name: Hashable, where: str = "") -> int:
        """Return the id of a name.

        Raises ValueError that tells `where` the name was found, and one it is close to.
        """
        found = self._ids.get(name)
        if found is None:
            texts = {str(known): known for known in self.names}
            near = get_close_matches(str(name), texts, 1, 0.6)
            hint = f", did you mean {texts[near[0]]!r}?" if near else ""
            place = f"{where}: " if where else ""
            raise ValueError(
                f"{place}unknown label {name!r}{hint}. The labels are "
                f"{_some(self.names)}. Correct it in the data, or add it to the labels."
            )
        return found

    def ids(self, names: Iterable[Hashable]) -> list[int]:
        """Return the id of every name."""
        return [self.id(name) for name in names]

    def __getitem__(self, i: int) -> Hashable:
        if not 0 <= i < len(self.names):
            # Not IndexError: a wrong id is bad input, and -1 is padding, not the last.
            raise ValueError(
                f"label id {i} is unknown: ids go from 0 to {len(self.names) - 1}. "
                "Check that model and labels belong together."
            )
        return self.names[i]

    def __contains__(self, name: object) -> bool:
        return name in self._ids

    def __iter__(self) -> Iterator[Hashable]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Labels) and self.names == other.names

    def __hash__(self) -> int:
        return hash(self.names)

    def __repr__(self) -> str:
        return f"Labels({list(self.names)!r})"


@dataclass
class Dropped:
    """How many spans were left out, and why; counts add up over calls.

    truncated: cut by truncation. misaligned: a boundary inside a token or in a blank.
    overlapping: shares a token with a longer span (only where spans may not overlap).
    """

    truncated: int = 0
    misaligned: int = 0
    overlapping: int = 0

    @property
    def total(self) -> int:
        """All that were left out."""
        return self.truncated + self.misaligned + self.overlapping

    def __iadd__(self, other: "Dropped") -> "Dropped":
        self.truncated += other.truncated
        self.misaligned += other.misaligned
        self.overlapping += other.overlapping
        return self


def _some(names: tuple) -> str:
    """A readable beginning of a long list."""
    rest = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return f"{list(names[:10])}{rest}"
