"""CasRel: first the subjects of a text, then the objects of every subject.

B texts · T tokens · P predicates · S (text, subject) pairs
https://kexue.fm/archives/7161
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from bert4keras3.extraction.labels import Dropped, Labels
from bert4keras3.extraction.positions import FlatOffsets, tokens_of
from bert4keras3.extraction.relations import Relation, to_relations
from bert4keras3.extraction.spans import same_count

# The thresholds of a first and of a last token.
START, END = 0.6, 0.5


class Subjects(NamedTuple):
    """Subjects of many texts: rows (S,) text numbers, spans (S, 2) of tokens, int64.

    As one batch for the second model: repeat its inputs by `inputs[subjects.rows]`.
    """

    rows: np.ndarray
    spans: np.ndarray


class SubjectLabels(NamedTuple):
    """subjects (B, T, 2) and objects (B, T, P, 2) float32; chosen (B, 2) int32."""

    subjects: np.ndarray
    chosen: np.ndarray
    objects: np.ndarray


def find_subjects(
    probabilities, offsets: Sequence, start: float = START, end: float = END
) -> Subjects:
    """Collect the subjects of all texts of a batch or a data set.

    probabilities: (B, T, 2) that a token is the first, the last of a subject.
    offsets: one (n, 2) for every text, n <= T; [CLS], [SEP], padding are no subject.
    start, end: a first token is above `start`; it is joined with the nearest token
        from there on that is above `end`.
    """
    probabilities = _checked(probabilities, 3)
    flat = FlatOffsets.of(offsets, probabilities.shape[1])
    same_count("probabilities", len(probabilities), "offsets", len(flat))
    (rows,), firsts, lasts = _nearest(
        probabilities, np.arange(len(probabilities)), flat, start, end
    )
    return Subjects(rows, np.stack([firsts, lasts], 1))


def find_objects(
    probabilities,
    subjects: Subjects,
    offsets: Sequence,
    start: float = START,
    end: float = END,
) -> np.ndarray:
    """Return the relations in tokens, (N, 6) int64, for `to_relations`.

    Where all subjects of a data set are too many for one batch, this takes some of
    them at a time; join the results.
    probabilities: (S, T, P, 2) of the objects of each of the subjects.
    subjects: what `find_subjects` returned for the texts of `offsets`.
    """
    probabilities = _checked(probabilities, 4)
    rows, spans = np.asarray(subjects.rows), np.asarray(subjects.spans).reshape(-1, 2)
    same_count("probabilities", len(probabilities), "subjects", len(rows))
    same_count("subjects.rows", len(rows), "subjects.spans", len(spans))
    flat = FlatOffsets.of(offsets, probabilities.shape[1])
    if len(rows) and not 0 <= rows.min() <= rows.max() < len(flat):
        raise ValueError(
            f"subjects has texts {rows.min()} to {rows.max()}, but there are "
            f"{len(flat)} offsets: give those of all texts."
        )
    columns = np.moveaxis(probabilities, 2, 1)  # (S, P, T, 2)
    (pair, p), firsts, lasts = _nearest(columns, rows, flat, start, end)
    return np.stack([rows[pair], *spans[pair].T, p, firsts, lasts], 1)


def decode_objects(
    probabilities,
    subjects: Subjects,
    offsets: Sequence,
    predicates: Labels,
    start: float = START,
    end: float = END,
) -> list[list[Relation]]:
    """Return the sorted relations of every text; arguments as in `find_objects`.

    predicates: P names.
    """
    probabilities = _checked(probabilities, 4, len(predicates))
    flat = FlatOffsets.of(offsets, probabilities.shape[1])
    found = find_objects(probabilities, subjects, flat, start, end)
    return to_relations(found, flat, predicates)


def _nearest(probabilities, rows, flat: FlatOffsets, start: float, end: float):
    """Where spans are: the indices of the leading axes, first and last tokens.

    probabilities: (N, ..., T, 2).  rows: (N,) the text of each.
    """
    size, middle = probabilities.shape[-2], probabilities.ndim - 3
    places = np.arange(size)[None]
    real = flat.read(rows[:, None], places, places)[0]
    real = real.reshape(len(rows), *[1] * middle, size)
    starts = (probabilities[..., 0] > start) & real
    ends = np.where((probabilities[..., 1] > end) & real, np.arange(size), size)
    # The nearest end at or after a token is the smallest number from there on.
    ends = np.minimum.accumulate(ends[..., ::-1], -1)[..., ::-1]
    *lead, firsts = np.nonzero(starts & (ends < size))
    return lead, firsts, ends[(*lead, firsts)]


def _checked(probabilities, axes: int, predicates: int | None = None) -> np.ndarray:
    array = np.asarray(probabilities)
    wanted = "(B, T, 2)" if axes == 3 else f"(S, T, {predicates or 'P'}, 2)"
    if (
        array.ndim != axes
        or array.shape[-1] != 2
        or (predicates is not None and array.shape[-2] != predicates)
    ):
        raise ValueError(
            f"probabilities must have the shape {wanted}: of the first and of the last "
            f"token. Received {array.shape}."
        )
    return array


def subject_labels(
    relations: Sequence,
    offsets: Sequence,
    predicates: Labels,
    rng: np.random.Generator,
    length: int | None = None,
    dropped: Dropped | None = None,
    texts: Sequence[str] | None = None,
) -> SubjectLabels:
    """Return the labels of a batch, with one chosen subject for every text.

    The chosen first token is that of any subject, the chosen last token any last token
    of a subject from there on: not always a subject, which teaches to find no object.
    A text without relations has the chosen subject (0, 0), and no objects.
    rng: numpy's, for the choice.
    length: T; None = the longest of the batch.
    dropped, texts: as in `relation_labels`.
    Raises ValueError for unknown predicates, spans outside their text, a short length.
    """
    sizes = [len(one) for one in offsets]
    if length is None:
        length = max(sizes, default=0)
    elif length < max(sizes, default=0):
        raise ValueError(
            f"length must be at least {max(sizes)}, the tokens of the longest text. "
            f"Received {length}."
        )
    batch = len(relations)
    subjects = np.zeros((batch, length, 2), "float32")
    objects = np.zeros((batch, length, len(predicates), 2), "float32")
    chosen = np.zeros((batch, 2), "int32")
    spans = [[span for one in row for span in (one[0], one[2])] for row in relations]
    tokens = tokens_of(spans, offsets, texts, dropped)
    for row, found in enumerate(relations):
        known = _by_subject(found, tokens[row], predicates)
        if not known:
            continue
        firsts, lasts = np.array(list(known)).T
        subjects[row, firsts, 0] = subjects[row, lasts, 1] = 1
        first = rng.choice(firsts)
        chosen[row] = first, rng.choice(lasts[lasts >= first])
        for p, (i, j) in known.get(tuple(chosen[row].tolist()), ()):
            objects[row, i, p, 0] = objects[row, j, p, 1] = 1
    return SubjectLabels(subjects, chosen, objects)


def _by_subject(found, tokens: dict, predicates: Labels) -> dict:
    """The (predicate, object) pairs of every subject, in tokens."""
    result: dict = {}
    for subject, predicate, other in found:
        p = predicates.id(predicate)
        a, b = tokens.get(tuple(subject)), tokens.get(tuple(other))
        if a is not None and b is not None:
            result.setdefault(tuple(a), []).append((p, b))
    return result
