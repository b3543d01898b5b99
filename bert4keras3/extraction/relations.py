"""GPLinker's relations: gold triples to sparse labels, scores of a batch to triples.

B texts · P predicates · T tokens · K most positions of one label · N relations found

Subject and object are spans of the matrix `entity`; predicate p joins them if `head`
has p at (first token of the subject, first token of the object) and `tail` at their
last tokens: https://kexue.fm/archives/8888
"""

from collections.abc import Sequence
from itertools import repeat
from typing import NamedTuple

import numpy as np

from bert4keras3.extraction.labels import Dropped, Labels
from bert4keras3.extraction.pairs import OBJECT, SUBJECT, find_relations
from bert4keras3.extraction.positions import (
    FlatOffsets,
    check_scores,
    pack_positions,
    split_rows,
    tokens_of,
)
from bert4keras3.extraction.spans import same_count


class Relation(NamedTuple):
    """`text[slice(*subject)]` and `text[slice(*object)]` are in this relation."""

    subject: tuple[int, int]
    predicate: str
    object: tuple[int, int]


class RelationLabels(NamedTuple):
    """Sparse labels, int32, filled with (0, 0): (B, 2 or P, K, 2) each."""

    entity: np.ndarray
    head: np.ndarray
    tail: np.ndarray


def relation_labels(
    relations: Sequence,
    offsets: Sequence,
    predicates: Labels,
    multiple: int = 8,
    texts: Sequence[str] | None = None,
    dropped: Dropped | None = None,
) -> RelationLabels:
    """Return the labels of the three matrices for a batch.

    relations: one list of Relation for every text.
    offsets: one (n, 2) for every text, as `tokenizer.offsets(text, tokens)` gives.
    multiple: K is a multiple of this, so that few shapes are compiled.
    texts: to check that the spans lie in them.
    dropped: counts the spans that truncation cut or no token boundary fits; without it
        a call with such spans warns once. A relation with one is left out.
    Raises ValueError for unknown predicates, or spans outside their text.
    """
    entity, head, tail = [], [], []
    spans = [[span for one in row for span in (one[0], one[2])] for row in relations]
    tokens = tokens_of(spans, offsets, texts, dropped)
    for row, found in enumerate(relations):
        for subject, predicate, other in found:
            p = predicates.id(predicate, f"relations[{row}]")
            a, b = tokens[row].get(tuple(subject)), tokens[row].get(tuple(other))
            if a is None or b is None:
                continue
            entity += [(row, SUBJECT, *a), (row, OBJECT, *b)]
            head.append((row, p, a[0], b[0]))
            tail.append((row, p, a[1], b[1]))
    batch, count = len(relations), len(predicates)
    return RelationLabels(
        pack_positions(entity, batch, 2, multiple),
        pack_positions(head, batch, count, multiple),
        pack_positions(tail, batch, count, multiple),
    )


def to_relations(
    found: np.ndarray, offsets: Sequence, predicates: Labels
) -> list[list[Relation]]:
    """Return the relations of every text, sorted, without special tokens or padding.

    found: (N, 6) of `find_relations` or `join_relations`.
    offsets: one (n, 2) for every text.
    """
    flat = FlatOffsets.of(offsets)
    rows, i, j, p, k, m = np.asarray(found).T
    if len(rows) and not (
        0 <= rows.min() <= rows.max() < len(flat)
        and 0 <= p.min() <= p.max() < len(predicates)
    ):
        raise ValueError(
            f"found has texts up to {rows.max()} and predicates up to {p.max()}, but "
            f"there are {len(flat)} offsets and {len(predicates)} predicates."
        )
    real, a, b = flat.read(rows, i, j)
    other, c, d = flat.read(rows, k, m)
    names = sorted(range(len(predicates)), key=lambda n: str(predicates.names[n]))
    p = np.argsort(names)[p]
    # Two numbers instead of six columns: sorted, and without repeated ones, which
    # tokens that share a character give.
    size = int(max(b.max(initial=0), d.max(initial=0))) + 1
    first, second = (rows * size + a) * size + b, (p * size + c) * size + d
    order = np.lexsort([second, first])
    order = order[(real & other)[order]]
    first, second = first[order], second[order]
    new = np.ones(len(order), bool)
    new[1:] = (first[1:] != first[:-1]) | (second[1:] != second[:-1])
    order = order[new]
    texts = [predicates.names[n] for n in names]
    a, b, c, d = (column[order].tolist() for column in (a, b, c, d))
    items = zip(
        zip(a, b, strict=True),
        [texts[n] for n in p[order].tolist()],
        zip(c, d, strict=True),
        strict=True,
    )
    # As Relation(*item), without a Python call for each.
    items = list(map(tuple.__new__, repeat(Relation), items))
    return split_rows(items, rows[order], len(flat))


def decode_relations(
    entity,
    head,
    tail,
    offsets: Sequence,
    predicates: Labels,
    threshold: float = 0.0,
    max_spans: int | None = 128,
) -> list[list[Relation]]:
    """Return the relations of a batch, one sorted list for every text.

    entity: (B, 2, T, T) scores, subjects first.  head, tail: (B, P, T, T) scores.
    offsets: one (n, 2) for every text, n <= T; [CLS], [SEP] and padding are no span.
    threshold: what all four scores of a relation exceed.
    max_spans: of the subjects, and of the objects, of a text this many with the
        highest scores are used (None = all), so that an untrained model, of whose
        spans half are positive, ends; a call that leaves spans out warns.
    Raises ValueError for shapes that do not fit.
    """
    head = check_scores("head", head, len(predicates))
    flat = FlatOffsets(offsets, head.shape[3])
    found = find_relations(entity, head, tail, threshold, flat, max_spans)
    return to_relations(found, flat, predicates)


def relation_strings(texts: Sequence[str], relations: Sequence) -> list[set[tuple]]:
    """Relations as {(subject, predicate, object)} of strings, for `relation_f1`.

    As DuIE's score has it, case and blanks do not matter, nor does the place: a string
    that occurs twice is one.
    """
    same_count("texts", len(texts), "relations", len(relations))

    def plain(text, span):
        return "".join(text[slice(*span)].lower().split())

    return [
        {(plain(text, a), predicate, plain(text, b)) for a, predicate, b in found}
        for text, found in zip(texts, relations, strict=True)
    ]
