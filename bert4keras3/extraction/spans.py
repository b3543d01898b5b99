"""Entities in a text and the tokens that hold them."""

import warnings
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from bert4keras3.extraction.labels import Dropped


class Entity(NamedTuple):
    """`text[start:end]` is a `label`."""

    start: int
    end: int
    label: str


class TokenSpan(NamedTuple):
    """Tokens `start` to `end`, both included, are a `label`."""

    label: str
    start: int
    end: int


def same_count(what: str, count: int, other: str, other_count: int) -> None:
    """Raise ValueError unless two parts of a batch have as many rows."""
    if count != other_count:
        raise ValueError(
            f"{what} and {other} must have one row for every text. Received {count} "
            f"rows of {what} and {other_count} of {other}."
        )


def token_spans(
    entities: Sequence[Iterable],
    offsets: Sequence,
    texts: Sequence[str] | None = None,
    dropped: Dropped | None = None,
) -> list[list[TokenSpan]]:
    """Find the tokens of the entities of a batch.

    entities: one list of Entity (or (start, end, label)) for every text.
    offsets: one (n, 2) for every text, as `tokenizer.offsets(text, tokens)` gives.
    texts: to check that the entities lie in them.
    dropped: what is left out is counted here; without it a call that leaves anything
        out warns once.

    Rule: an entity is kept if a token starts where it starts and a token ends where it
    ends; distinct spans are returned, sorted. An entity whose first or last character
    no token has was truncated; it is misaligned if its boundary lies inside a token or
    (as far as `texts` tells) its edge is a blank.
    Raises ValueError for a span without characters or outside its text.
    """
    same_count("entities", len(entities), "offsets", len(offsets))
    if texts is not None:
        same_count("entities", len(entities), "texts", len(texts))
    lost, found = Dropped(), []
    for row, items in enumerate(entities):
        text = None if texts is None else texts[row]
        spans = _aligned(items, offset_array(offsets[row], row), text, row, lost)
        found.append(sorted(spans, key=lambda span: (span[1:], str(span.label))))
    report_dropped(lost, dropped, sum(map(len, found)))
    return found


def report_dropped(
    lost: Dropped, dropped: Dropped | None, kept: int, stacklevel: int = 3
) -> None:
    """Add what was lost to the caller's counter, or warn if there is none."""
    if dropped is not None:
        dropped += lost
    elif lost.total:
        warnings.warn(
            f"{lost.total} of {lost.total + kept} spans were left out ({lost}). A "
            "larger maxlen helps against truncation, a tokenizer with smaller tokens "
            "against misalignment, GlobalPointer where spans overlap; pass "
            "dropped=Dropped() to count without a warning.",
            stacklevel=stacklevel,
        )


def offset_array(offsets, row: int) -> np.ndarray:
    """Offsets of one text as (n, 2) int; raises ValueError for another shape."""
    array = np.asarray(offsets)
    if array.size == 0:
        return np.zeros((0, 2), "int64")
    if array.ndim != 2 or array.shape[1] != 2:
        raise ValueError(
            f"offsets[{row}] must have the shape (n, 2), character start and end of "
            f"every token. Received {array.shape}; use tokenizer.offsets(text, tokens)."
        )
    return array


def _aligned(items, offsets, text, row: int, lost: Dropped) -> set[TokenSpan]:
    """The token spans of the entities of one text; counts the others in `lost`."""
    tokens = [(i, a, b) for i, (a, b) in enumerate(offsets.tolist()) if b > a]
    # Several tokens may share one character: the first starts it, the last ends it.
    firsts = {a: i for i, a, _ in reversed(tokens)}
    lasts = {b: i for i, _, b in tokens}
    spans, covered = set(), None
    for item in items:
        start, end, label = checked(item, text, row)
        i, j = firsts.get(start), lasts.get(end)
        if i is not None and j is not None and i <= j:
            spans.add(TokenSpan(label, i, j))
            continue
        if covered is None:
            covered = {place for _, a, b in tokens for place in range(a, b)}
        if _is_cut(start, end, text, covered):
            lost.truncated += 1
        else:
            lost.misaligned += 1
    return spans


def checked(item, text: str | None, row: int) -> Entity:
    """An item as Entity; raises ValueError if it is none or lies outside the text."""
    parts = item if isinstance(item, (tuple, list)) else ()
    if len(parts) != 3 or not all(isinstance(n, (int, np.integer)) for n in parts[:2]):
        raise ValueError(
            f"entities[{row}] must be a list of (start, end, label), with a list for "
            f"every text. It holds {item!r}."
        )
    entity = Entity(*parts)
    size = entity.end if text is None else len(text)
    if not 0 <= entity.start < entity.end <= size:
        where = "" if text is None else f", which has {size} characters"
        raise ValueError(
            f"the span ({entity.start}, {entity.end}) of text {row} "
            f"must have 0 <= start < end and lie in the text{where}. The end is open: "
            "correct "
            "the data, or the text if it was changed after it was labelled."
        )
    return entity


def _is_cut(start: int, end: int, text: str | None, covered: set[int]) -> bool:
    """Tell whether a character at the edge is in no token, though it is no blank."""
    for place in (start, end - 1):
        if place not in covered and not (text and text[place].isspace()):
            return True
    return False


def to_entities(spans: Sequence[Iterable], offsets: Sequence) -> list[list[Entity]]:
    """Return the sorted entities of token spans, text by text.

    Tokens without characters at the edges ([CLS], [SEP], padding) are left out, and a
    span of nothing else is too.
    """
    same_count("spans", len(spans), "offsets", len(offsets))
    result = []
    for row, items in enumerate(spans):
        places, found = offset_array(offsets[row], row).tolist(), set()
        for label, i, j in items:
            inside = [(a, b) for a, b in places[max(i, 0) : j + 1] if b > a]
            if inside:
                found.add(Entity(inside[0][0], inside[-1][1], label))
        result.append(sorted(found, key=text_order))
    return result


def text_order(entity: Entity) -> tuple:
    """Sort key: start, end, label; labels may be of types that have no order."""
    return entity.start, entity.end, str(entity.label)
