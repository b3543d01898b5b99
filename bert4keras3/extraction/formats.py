"""Files of relations, LIC2019/DuIE, and what they share with those of events.

One JSON object a line, UTF-8.
"""

import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from bert4keras3.extraction.jsonl import json_lines, not_empty, write_lines
from bert4keras3.extraction.relations import Relation
from bert4keras3.extraction.spans import same_count


class RelationText(NamedTuple):
    """A text and its relations."""

    text: str
    relations: list[Relation]


class Missing(NamedTuple):
    """A string that is not in the text of this line, or not where it should be."""

    line: int
    string: str


class Line:
    """One object of a json-lines file, whose values are checked as they are taken."""

    def __init__(self, path, number: int, value: dict):
        self.where, self.number, self.value = f"{path}, line {number}", number, value

    def get(self, key: str, kind: type = str, of: dict | None = None):
        """Return the value of a key; raises ValueError if it is missing or wrong."""
        value = self.value if of is None else of
        if not isinstance(value, dict) or key not in value:
            hint = "" if of else " For a file without labels pass labelled=False."
            raise ValueError(f"{self.where}: {_short(value)} has no {key!r}.{hint}")
        if not isinstance(value[key], kind):
            raise ValueError(
                f"{self.where}: {key!r} must be a {kind.__name__}. Received "
                f"{_short(value[key])}."
            )
        return value[key]


def _short(value) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"


def first_span(text: str, string: str) -> tuple[int, int] | None:
    """Return start and end of the first occurrence, or None for none or no string.

    Where there is none, upper and lower case are taken as the same: some strings of
    LIC2019 are lower-cased, its texts are not.
    """
    start = text.find(string) if string else -1
    if start < 0 and string:
        start = _lower(text).find(_lower(string))
    return None if start < 0 else (start, start + len(string))


def _lower(text: str) -> str:
    """Lower case, but characters whose lower case has another length stay."""
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


def relations_of_strings(
    text: str, triples: Iterable[Sequence[str]]
) -> tuple[list[Relation], list[str]]:
    """Return the sorted relations of (subject, predicate, object), and strings lost.

    A span is the first occurrence of its string; relations with a string that is not
    in the text are left out, and such strings are returned.
    """
    relations, missing = set(), []
    for subject, predicate, other in triples:
        spans = [first_span(text, string) for string in (subject, other)]
        if None not in spans:
            relations.add(Relation(spans[0], predicate, spans[1]))
        pairs = zip((subject, other), spans, strict=True)
        missing += [string for string, span in pairs if span is None]
    return sorted(relations), missing


def read_duie(
    path: str | os.PathLike, labelled: bool = True, missing: list | None = None
) -> list[RelationText]:
    """Read texts with relations, such as train_data.json of LIC2019.

    The file has strings; a span is the first occurrence of its string.
    labelled: False reads the texts alone.
    missing: `Missing` strings are appended here, and their relations left out; without
        it a call that leaves any out warns once.
    Raises ValueError, naming file and line, for broken JSON or missing keys.
    """
    result, lost = [], []
    for number, value in json_lines(path):
        line = Line(path, number, value)
        text, triples = line.get("text"), []
        for spo in line.get("spo_list", list) if labelled else ():
            keys = ("subject", "predicate", "object")
            triples.append([line.get(key, str, spo) for key in keys])
        relations, strings = relations_of_strings(text, triples)
        lost += [Missing(number, string) for string in strings]
        result.append(RelationText(text, relations))
    report_missing(path, lost, missing)
    return not_empty(path, result)


def read_duie_schema(path: str | os.PathLike) -> dict[str, list[tuple[str, str]]]:
    """Return {predicate: [(subject type, object type)]} of a file as all_50_schemas."""
    result: dict = {}
    for number, value in json_lines(path):
        line = Line(path, number, value)
        types = line.get("subject_type"), line.get("object_type")
        result.setdefault(line.get("predicate"), []).append(types)
    return result


def write_duie(
    path: str | os.PathLike,
    texts: Sequence[str],
    relations: Sequence[Iterable[Relation]],
    schema: Mapping[str, Sequence[tuple[str, str]]] | None = None,
) -> None:
    """Write a submission: a line for every text, distinct triples of strings.

    schema: of `read_duie_schema`, to add the types; where a predicate has several, the
        first are taken, for relations do not tell them apart.
    """
    same_count("texts", len(texts), "relations", len(relations))
    lines = []
    for row, (text, found) in enumerate(zip(texts, relations, strict=True)):
        triples = dict.fromkeys(
            (string_at(text, subject, row), predicate, string_at(text, other, row))
            for subject, predicate, other in found
        )
        spo_list = [_spo(triple, schema, row) for triple in triples]
        lines.append({"text": text, "spo_list": spo_list})
    write_lines(path, lines)


def _spo(triple, schema, row: int) -> dict:
    spo = dict(zip(("subject", "predicate", "object"), triple, strict=True))
    if schema is None:
        return spo
    if triple[1] not in schema:
        raise ValueError(
            f"relations[{row}] has the predicate {triple[1]!r}, which is not in the "
            f"schema of {len(schema)}. Pass the schema it was trained with."
        )
    spo["subject_type"], spo["object_type"] = schema[triple[1]][0]
    return spo


def string_at(text: str, span, row: int) -> str:
    """Return the string of a span; raises ValueError if it is not in text `row`."""
    start, end = span
    if not 0 <= start < end <= len(text):
        raise ValueError(
            f"text {row} has {len(text)} characters, but a span from {start} to {end} "
            "was given for it. Spans and texts must belong together."
        )
    return text[start:end]


def report_missing(path, lost: list[Missing], missing: list | None) -> None:
    """Append what was lost to the caller's list, or warn if there is none."""
    if missing is not None:
        missing += lost
    elif lost:
        warnings.warn(
            f"{path}: {len(lost)} strings were left out that are not in their texts, "
            f"or not where the file says; the first is {lost[0].string!r} in line "
            f"{lost[0].line}. Pass missing=[] to collect them without a warning.",
            stacklevel=3,
        )

