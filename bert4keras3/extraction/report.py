"""Readable reports of scores and of mistakes; everything returns text."""

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from bert4keras3.extraction.spans import Entity, checked, same_count, text_order

_COLUMNS = ("precision", "recall", "f1", "correct", "predicted", "gold")


def width(text: str) -> int:
    """Columns that a text takes on a terminal: Chinese characters take two."""
    total = 0
    for char in text:
        # Accents, joiners and variation selectors stand on the character before.
        if unicodedata.category(char) not in ("Mn", "Me", "Cf"):
            total += 2 if unicodedata.east_asian_width(char) in "WF" else 1
    return total


def _table(rows: Sequence[Sequence[str]]) -> str:
    """Rows as aligned columns, the first to the left and the others to the right."""
    sizes = [max(map(width, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *others in rows:
        cells = [first + " " * (sizes[0] - width(first))]
        for cell, size in zip(others, sizes[1:], strict=True):
            cells.append(" " * (size - width(cell)) + cell)
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def score_report(result: dict, digits: int = 4) -> str:
    """Return the table of a result of `F1` (or of any function of scores.py).

    One line for every type, then the micro line over all items and, where there are
    types, the macro line with their means.
    """
    if "types" not in result:
        raise ValueError(
            "score_report needs the result of F1.result(), span_f1 or the like. "
            f"Received the keys {sorted(map(str, result))}."
        )

    def line(name, scores, prefix=""):
        numbers = [f"{scores[prefix + key]:.{digits}f}" for key in _COLUMNS[:3]]
        counts = [str(scores[key]) if not prefix else "" for key in _COLUMNS[3:]]
        return [name, *numbers, *counts]

    rows = [["", *_COLUMNS]]
    rows += [line(str(kind), scores) for kind, scores in result["types"].items()]
    rows.append(line("micro", result))
    if result["types"]:
        rows.append(line("macro", result, "macro_"))
    return _table(rows) + "\n"


class Mistakes(NamedTuple):
    """What is wrong in one text; the last two hold pairs (gold, predicted)."""

    missed: list[Entity]
    spurious: list[Entity]
    wrong_type: list[tuple[Entity, Entity]]
    wrong_boundary: list[tuple[Entity, Entity]]

    @property
    def count(self) -> int:
        """False negatives and false positives; a pair is one of each."""
        pairs = len(self.wrong_type) + len(self.wrong_boundary)
        return len(self.missed) + len(self.spurious) + 2 * pairs


def find_mistakes(gold: Iterable, predicted: Iterable) -> Mistakes:
    """Compare the gold and the predicted entities of one text.

    Every entity is in one mistake at most: first those with equal boundaries are paired
    (wrong type), then those with equal label that overlap, the largest overlap first
    (wrong boundary); the rest was missed or is spurious.
    """
    right, guess = ({Entity(*e) for e in items} for items in (gold, predicted))
    missed = sorted(right - guess, key=text_order)
    spurious = sorted(guess - right, key=text_order)
    types = _pairs(missed, spurious, lambda a, b: a[:2] == b[:2])
    boundaries = _pairs(missed, spurious, _overlap)
    return Mistakes(missed, spurious, types, boundaries)


def _overlap(a: Entity, b: Entity) -> int:
    """How many characters two entities share; 0 if their labels differ."""
    return max(0, min(a.end, b.end) - max(a.start, b.start)) * (a.label == b.label)


def _pairs(missed: list, spurious: list, fit) -> list[tuple[Entity, Entity]]:
    """Take the pairs that fit out of both lists, the best first; in text order."""
    fits = [(fit(a, b), a, b) for a in missed for b in spurious if fit(a, b)]
    found = []
    for _, a, b in sorted(fits, key=lambda one: -one[0]):
        if a in missed and b in spurious:
            missed.remove(a)
            spurious.remove(b)
            found.append((a, b))
    return sorted(found, key=lambda pair: text_order(pair[0]))


def worst_mistakes(
    texts: Sequence[str],
    gold: Sequence[Iterable],
    predicted: Sequence[Iterable],
    count: int = 10,
    longest: int = 200,
) -> str:
    """Return the texts with the most false positives and negatives, worst first.

    Under each text of at most `longest` shown characters stand its mistakes: missed,
    spurious, wrong type, wrong boundary. No mistakes give the empty string.
    Raises ValueError for entities outside their text.
    """
    rows = []
    for row, text, *both in _aligned(texts, gold, predicted):
        both = [[checked(item, text, row) for item in items] for items in both]
        mistakes = find_mistakes(*both)
        rows.append((mistakes.count, row, _lines(text, mistakes)))
    return _worst(rows, texts, count, longest)


def worst_differences(
    texts: Sequence[str],
    gold: Sequence[Iterable],
    predicted: Sequence[Iterable],
    count: int = 10,
    longest: int = 200,
    show: Callable = str,
) -> str:
    """`worst_mistakes` for items of any kind: relations, events, classes.

    gold, predicted: one collection of hashable items for every text; show: turns an
    item into one line. An item is missed or spurious.
    """
    rows = []
    for row, _, right, guess in _aligned(texts, gold, predicted):
        right, guess = set(right), set(guess)
        lines = [f"  missed    {one}" for one in sorted(map(show, right - guess))]
        lines += [f"  spurious  {one}" for one in sorted(map(show, guess - right))]
        rows.append((len(lines), row, lines))
    return _worst(rows, texts, count, longest)


def _aligned(texts, gold, predicted) -> Iterable[tuple]:
    """(row, text, gold items, predicted items) of every text."""
    same_count("texts", len(texts), "gold", len(gold))
    same_count("texts", len(texts), "predicted", len(predicted))
    return zip(range(len(texts)), texts, gold, predicted, strict=True)


def _worst(rows: list, texts, count: int, longest: int) -> str:
    """The texts of (number of mistakes, row, lines) with the most of them."""
    blocks = []
    wrong = [one for one in rows if one[0]]
    for number, row, lines in sorted(wrong, key=lambda one: (-one[0], one[1]))[:count]:
        text = texts[row]
        shown = text if len(text) <= longest else f"{text[:longest]}..."
        head = f"text {row}, {number} wrong: {_one_line(shown)}"
        blocks.append("\n".join([head, *lines]) + "\n")
    return "\n".join(blocks)


def _lines(text: str, mistakes: Mistakes) -> Iterable[str]:
    """One line for every mistake of a text."""

    def show(entity):
        mention = _one_line(text[entity.start : entity.end])
        return f"{mention} [{entity.start}:{entity.end}]"

    for entity in mistakes.missed:
        yield f"  missed          {entity.label}: {show(entity)}"
    for entity in mistakes.spurious:
        yield f"  spurious        {entity.label}: {show(entity)}"
    for right, guess in mistakes.wrong_type:
        yield f"  wrong type      {right.label}, not {guess.label}: {show(right)}"
    for right, guess in mistakes.wrong_boundary:
        yield f"  wrong boundary  {right.label}: {show(right)}, not {show(guess)}"


def _one_line(text: str) -> str:
    """A text without line breaks, which would break the layout."""
    return " ".join(text.splitlines())
