"""Files of events, DuEE and DuEE-fin: schemas, labelled texts and submissions.

One JSON object a line, UTF-8.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from bert4keras3.extraction.events import Argument, Event, without_parts
from bert4keras3.extraction.formats import (
    Line,
    Missing,
    first_span,
    report_missing,
    string_at,
)
from bert4keras3.extraction.jsonl import json_lines, not_empty, write_lines
from bert4keras3.extraction.labels import Labels
from bert4keras3.extraction.scores import TRIGGER
from bert4keras3.extraction.spans import same_count


class EventText(NamedTuple):
    """A text, its events and its id."""

    text: str
    events: list[Event]
    id: str


@dataclass(frozen=True)
class EventSchema:
    """Event types with their roles.

    labels: pairs (event type, role): of every type first the trigger, then its roles.
        A role that is one of a few values is not a span of the text: in its place
        stands each of the values, as a role of the span of the trigger.
    enums: (event type, value) -> the role it is a value of.
    """

    labels: Labels
    enums: Mapping[tuple[str, str], str] = field(default_factory=dict)


def read_event_schema(path: str | os.PathLike) -> EventSchema:
    """Read the schema of DuEE or DuEE-fin: lines of event_type and role_list."""
    names, enums = [], {}
    for number, value in json_lines(path):
        line = Line(path, number, value)
        kind = line.get("event_type")
        names.append((kind, TRIGGER))
        for item in line.get("role_list", list):
            role = line.get("role", str, item)
            values = line.get("enum_items", list, item) if "enum_items" in item else ()
            enums.update({(kind, one): role for one in values})
            names += [(kind, one) for one in values or [role]]
    return EventSchema(Labels(dict.fromkeys(names)), enums)


def read_duee(
    path: str | os.PathLike, labelled: bool = True, missing: list | None = None
) -> list[EventText]:
    """Read texts with events of DuEE 1.0, which says where the arguments start.

    labelled: False reads texts and ids alone.
    missing: `Missing` strings, which do not stand where the file says, are appended
        here, and the arguments left out; without it a call that leaves any out warns.
    Raises ValueError, naming file and line, for broken JSON or missing keys.
    """
    result, lost = [], []
    for number, value in json_lines(path):
        line = Line(path, number, value)
        text, events = line.get("text"), []
        for event in line.get("event_list", list) if labelled else ():
            items = [(TRIGGER, event, "trigger", "trigger_start_index")]
            for item in line.get("arguments", list, event):
                role = line.get("role", str, item)
                items.append((role, item, "argument", "argument_start_index"))
            arguments = []
            for role, item, key, index in items:
                string, start = line.get(key, str, item), line.get(index, int, item)
                if string and start >= 0 and text.startswith(string, start):
                    arguments.append(Argument(role, start, start + len(string)))
                else:
                    lost.append(Missing(number, string))
            events.append(Event.of(line.get("event_type", str, event), arguments))
        result.append(EventText(text, _known(events), line.get("id")))
    report_missing(path, lost, missing)
    return not_empty(path, result)


def read_duee_fin(
    path: str | os.PathLike,
    schema: EventSchema | None = None,
    labelled: bool = True,
    missing: list | None = None,
) -> list[EventText]:
    """Read texts with events of DuEE-fin, which has strings alone.

    The text is the title, a line break and the text, with one blank for every run of
    blanks. A span is the first occurrence of its string.
    schema: for roles that are one of a few values; see `EventSchema`.
    labelled, missing: as in `read_duee`; lost are strings that are not in the text.
    A line without the key event_list is a document without events.
    Raises ValueError, naming file and line, for broken JSON, missing keys, or a value
    that the schema does not have; and if no line has an event_list.
    """
    enums = {} if schema is None else schema.enums
    result, lost, known = [], [], False
    for number, value in json_lines(path):
        line = Line(path, number, value)
        text = "\n".join(_one_blank(line.get(key)) for key in ("title", "text"))
        events, has_events = [], labelled and "event_list" in value
        known = known or has_events
        for event in line.get("event_list", list) if has_events else ():
            arguments = []
            for role, string in _strings(line, event, enums):
                span = first_span(text, _one_blank(string))
                if span is None:
                    lost.append(Missing(number, string))
                else:
                    arguments.append(Argument(role, *span))
            events.append(Event.of(line.get("event_type", str, event), arguments))
        result.append(EventText(text, _known(events), line.get("id")))
    if labelled and result and not known:
        raise ValueError(
            f"{path}: no line has an 'event_list'. For a file without labels pass "
            "labelled=False."
        )
    report_missing(path, lost, missing)
    return not_empty(path, result)


def _strings(line: Line, event: dict, enums: Mapping) -> list[tuple[str, str]]:
    """(role, string) of all arguments; of a value, (value, string of the trigger)."""
    kind, trigger = line.get("event_type", str, event), line.get("trigger", str, event)
    roles = {role for (other, _), role in enums.items() if other == kind}
    result = [(TRIGGER, trigger)]
    for item in line.get("arguments", list, event):
        role, string = (line.get(key, str, item) for key in ("role", "argument"))
        if role in roles:
            if enums.get((kind, string)) != role:
                raise ValueError(
                    f"{line.where}: {string!r} is no value of the role {role!r} of "
                    f"{kind!r} in the schema. Correct it, or add it to enum_items."
                )
            role, string = string, trigger
        result.append((role, string))
    return result


def _one_blank(text: str) -> str:
    return " ".join(text.split())


def _known(events: Iterable[Event]) -> list[Event]:
    """The distinct events that have an argument, sorted."""
    return sorted({event for event in events if event.arguments})


def write_events(
    path: str | os.PathLike,
    ids: Sequence[str],
    texts: Sequence[str],
    events: Sequence[Iterable[Event]],
    schema: EventSchema | None = None,
    drop_parts: bool = True,
) -> None:
    """Write a submission for DuEE or DuEE-fin: a line for every text, in order.

    Arguments are written as strings, each once, without the triggers.
    schema: turns values back into their roles (DuEE-fin).
    drop_parts: leave out events without arguments, and those whose (role, string)s
        another event of the same type has, too.
    """
    same_count("ids", len(ids), "texts", len(texts))
    same_count("texts", len(texts), "events", len(events))
    enums, lines = {} if schema is None else schema.enums, []
    for row, (name, text) in enumerate(zip(ids, texts, strict=True)):
        found = [_as_strings(event, text, row, enums) for event in events[row]]
        if drop_parts:
            found = without_parts(event for event in found if event[1])
        event_list = [
            {
                "event_type": kind,
                "arguments": [{"role": a, "argument": b} for a, b in arguments],
            }
            for kind, arguments in found
        ]
        lines.append({"id": name, "event_list": event_list})
    write_lines(path, lines)


def _as_strings(event, text: str, row: int, enums: Mapping) -> tuple[str, tuple]:
    """An event as (type, distinct pairs (role, string), sorted)."""
    kind, pairs = event[0], set()
    for role, *span in event[1]:
        if (kind, role) in enums:
            pairs.add((enums[kind, role], role))
        elif role != TRIGGER:
            pairs.add((role, string_at(text, span, row)))
    return kind, tuple(sorted(pairs))
