"""GPLinker's events: gold events to sparse labels, scores of a batch to events.

B texts · L labels, pairs (event type, role) · T tokens · K most positions of one label

An argument is a span of the matrix of its label. Two arguments belong together if the
link matrices `head` and `tail` are positive at their first and at their last tokens;
the maximal cliques of these links are the events of a type:
https://kexue.fm/archives/8926
"""

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np

from bert4keras3.extraction.cliques import find_cliques, matrix_masks
from bert4keras3.extraction.labels import Dropped, Labels
from bert4keras3.extraction.positions import (
    FlatOffsets,
    best_of_groups,
    check_scores,
    pack_positions,
    positives,
    tokens_of,
)
from bert4keras3.extraction.scores import has_trigger
from bert4keras3.extraction.spans import same_count


class Argument(NamedTuple):
    """`text[start:end]` plays a `role`."""

    role: str
    start: int
    end: int


class Event(NamedTuple):
    """An event; its trigger is an argument too, of the role `TRIGGER`."""

    type: str
    arguments: tuple[Argument, ...]

    @classmethod
    def of(cls, type: str, arguments: Iterable[tuple]) -> "Event":
        """Return the event with its distinct arguments in order."""
        return cls(type, tuple(sorted({Argument(*one) for one in arguments})))


class EventLabels(NamedTuple):
    """Sparse labels, int32, filled with (0, 0): (B, L or 1, K, 2) each."""

    argument: np.ndarray
    head: np.ndarray
    tail: np.ndarray


def event_labels(
    events: Sequence,
    offsets: Sequence,
    labels: Labels,
    multiple: int = 8,
    texts: Sequence[str] | None = None,
    dropped: Dropped | None = None,
) -> EventLabels:
    """Return the labels of the three matrices for a batch.

    events: one list of Event for every text.
    labels: pairs (event type, role).
    offsets, multiple, texts, dropped: as in `relation_labels`; an argument that fits
        no tokens is left out of its event.
    Every two arguments of an event are linked, from the smaller token to the larger.
    Raises ValueError for an unknown pair, or spans outside their text.
    """
    argument, head, tail = [], [], []
    spans = [[one[1:] for e in row for one in e[1]] for row in events]
    tokens = tokens_of(spans, offsets, texts, dropped)
    for row, found in enumerate(events):
        for kind, arguments in found:
            nodes = set()
            for role, *span in arguments:
                label = labels.id((kind, role), f"events[{row}]")
                if tuple(span) in tokens[row]:
                    nodes.add((label, *tokens[row][tuple(span)]))
            argument += [(row, *node) for node in nodes]
            for (_, i, j), (_, k, m) in combinations(nodes, 2):
                head.append((row, 0, min(i, k), max(i, k)))
                tail.append((row, 0, min(j, m), max(j, m)))
    return EventLabels(
        pack_positions(argument, len(events), len(labels), multiple),
        pack_positions(head, len(events), 1, multiple),
        pack_positions(tail, len(events), 1, multiple),
    )


@dataclass
class _Limits:
    """What the limits of a call left out."""

    arguments: int = 0
    graphs: int = 0

    def warn(self, max_arguments, max_events) -> None:
        if self.arguments or self.graphs:
            warnings.warn(
                f"{self.arguments} arguments beyond the best {max_arguments} of an "
                f"event type in a text were not used, and {self.graphs} graphs have "
                f"more than {max_events} events, of which those found first were "
                "kept. An untrained model finds too many; else raise max_arguments "
                "or max_events.",
                stacklevel=3,
            )


def decode_events(
    argument,
    head,
    tail,
    offsets: Sequence,
    labels: Labels,
    threshold: float = 0.0,
    require_trigger: bool = False,
    drop_parts: bool = False,
    max_arguments: int | None = 128,
    max_events: int | None = 512,
) -> list[list[Event]]:
    """Return the events of a batch, one sorted list for every text.

    argument: (B, L, T, T) scores.  head, tail: (B, 1, T, T) scores of links, of which
        the upper triangle is read.
    offsets: one (n, 2) for every text, n <= T; [CLS], [SEP] and padding are no span.
    labels: L pairs (event type, role).
    require_trigger: leave out events without an argument of the role `TRIGGER`.
    drop_parts: leave out events whose arguments another one of the same type has too.
    max_arguments, max_events: limits for one event type in one text, None = without: a
        graph of N arguments may have 3 ** (N / 3) events. Arguments with the highest
        scores, and events found first, are kept; a call that leaves any out warns.
    Raises ValueError for shapes that do not fit.
    """
    argument = check_scores("argument", argument, len(labels))
    head = check_scores("head", head, 1, argument)[:, 0]
    tail = check_scores("tail", tail, 1, argument)[:, 0]
    flat = FlatOffsets.of(offsets, argument.shape[2])
    same_count("argument", len(argument), "offsets", len(flat))
    limits, result = _Limits(), [set() for _ in range(len(flat))]
    for text, kind, nodes, arguments in _graphs(
        argument, threshold, flat, labels, max_arguments, limits
    ):
        cliques = [(0,)]
        if len(arguments) > 1:
            joined = _links(head[text], nodes, 0) > threshold
            joined &= _links(tail[text], nodes, 1) > threshold
            np.fill_diagonal(joined, False)
            cliques, complete = find_cliques(matrix_masks(joined), max_events)
            limits.graphs += not complete
        for clique in cliques:
            result[text].add(Event.of(kind, [arguments[n] for n in clique]))
    limits.warn(max_arguments, max_events)
    if require_trigger:
        result = [filter(has_trigger, row) for row in result]
    if drop_parts:
        result = [without_parts(row) for row in result]
    return [sorted(row) for row in result]


def _links(scores: np.ndarray, nodes: np.ndarray, side: int) -> np.ndarray:
    """Scores (N, N) of the links between all first or all last tokens."""
    places = nodes[:, side]
    low, high = np.minimum.outer(places, places), np.maximum.outer(places, places)
    return scores[low, high]


def _graphs(scores, threshold, flat: FlatOffsets, labels, most, limits):
    """Yield (text, event type, (N, 2) tokens, N arguments), type by type."""
    names = list(dict.fromkeys(kind for kind, _ in labels))
    kinds = np.array([names.index(kind) for kind, _ in labels])
    text, label, i, j = positives(scores, threshold)
    real, starts, ends = flat.read(text, i, j)
    groups = text * len(names) + kinds[label]
    order = np.argsort(groups, kind="stable")
    order = order[(real & (i > 0))[order]]
    groups, values = groups[order], scores[text, label, i, j][order]
    kept, lost = best_of_groups(groups, values, most)
    limits.arguments += lost
    groups, order = groups[kept], order[kept]
    nodes = np.stack([i[order], j[order]], 1)
    roles = [labels.names[n][1] for n in label[order].tolist()]
    columns = (roles, starts[order].tolist(), ends[order].tolist())
    arguments = list(map(Argument, *columns))
    cuts = np.flatnonzero(np.diff(groups, prepend=-1, append=-1)).tolist()
    for low, high in zip(cuts, cuts[1:], strict=False):
        row, kind = divmod(int(groups[low]), len(names))
        yield row, names[kind], nodes[low:high], arguments[low:high]


def without_parts(events: Iterable[Event]) -> list[Event]:
    """The events without those whose arguments are all in another of the same type."""
    events = list(dict.fromkeys(events))
    sets = [set(event[1]) for event in events]
    return [
        event
        for event, own in zip(events, sets, strict=True)
        if not any(
            own < other and event[0] == larger[0]
            for larger, other in zip(events, sets, strict=True)
        )
    ]
