"""What an objective is: from places in the corpus to a batch."""

from typing import NamedTuple

import numpy as np

from bert4keras3.pretraining.shards import DOCUMENT, SPECIAL, TokenShards, Vocabulary


class Plan(NamedTuple):
    """How rows of one length are made.

    stride: tokens of the corpus for every row; draws: random uint64 of a row.
    """

    stride: int
    draws: int


class Objective:
    """Base of objectives: `plan` says how much a row takes, `batch` makes rows.

    For an own one define both, with `shards.windows` or `shards.read` for tokens (an
    example is in docs/scale.md); everything random comes from `noise`. A `Checkpoint`
    compares `repr`, which by default tells the attributes.
    """

    def __repr__(self):
        told = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{type(self).__name__}({told})"

    def plan(self, length: int, vocabulary: Vocabulary) -> Plan:
        """Tokens of the corpus and random numbers that a row of `length` takes.

        Raises ValueError if the vocabulary lacks a token or the length is too small.
        """
        raise NotImplementedError(f"{type(self).__name__} must define plan.")

    def batch(
        self,
        shards: TokenShards,
        positions: np.ndarray,
        noise: np.ndarray,
        length: int,
    ) -> tuple:
        """Return (inputs, labels, weights) of B rows.

        positions: (B,) int64, the places in the corpus that the rows are made of;
        noise: (B, plan.draws) uint64.
        """
        raise NotImplementedError(f"{type(self).__name__} must define batch.")


def check_rate(name: str, value: float) -> None:
    """Raise ValueError unless a share is above 0 and below 1."""
    if not 0 < value < 1:
        raise ValueError(f"{name} must be above 0 and below 1. Received: {value}")


def check_length(length: int, least: int) -> None:
    """Raise ValueError for rows that have no room for anything to learn."""
    if length < least:
        raise ValueError(f"length must be at least {least}. Received: {length}")


def framed(ids, flags, vocabulary: Vocabulary) -> tuple[np.ndarray, np.ndarray]:
    """Put the start token before and the end token after rows: (ids, flags)."""
    begins = int(vocabulary.start is not None)
    shape = (len(ids), begins + ids.shape[1] + 1)
    rows = np.full(shape, vocabulary.end, "int32")
    marks = np.full(shape, SPECIAL, "uint8")
    rows[:, begins:-1], marks[:, begins:-1] = ids, flags
    if begins:
        rows[:, 0] = vocabulary.start
    return rows, marks


def with_starts(ids, flags, columns: int, vocabulary: Vocabulary) -> tuple:
    """Put the start token before every document of windows (B, W), and first of all.

    Returns (ids, flags, begins), (B, columns); begins is true where a document's row
    part begins. columns: at most W + 1, at most W for a vocabulary without a start.
    """
    opens = flags & DOCUMENT > 0
    opens[:, 0] = True
    if vocabulary.start is None:
        return ids[:, :columns], flags[:, :columns], opens[:, :columns]
    places = np.arange(ids.shape[1]) + np.cumsum(opens, axis=1)
    shape = (len(ids), columns)
    rows = np.full(shape, vocabulary.start, "int32")
    marks = np.full(shape, SPECIAL, "uint8")
    begins = np.zeros(shape, bool)
    row, place = np.nonzero(places < columns)
    rows[row, places[row, place]] = ids[row, place]
    marks[row, places[row, place]] = flags[row, place]
    row, place = np.nonzero(opens & (places <= columns))
    begins[row, places[row, place] - 1] = True
    return rows, marks, begins


def starts_of(begins: np.ndarray, texts: int) -> tuple[np.ndarray, np.ndarray]:
    """(starts int32 (B, texts), beyond bool (B, T)) of where texts begin, (B, T).

    Places without a text hold T; beyond: tokens of texts for which there is no place.
    """
    numbers = np.cumsum(begins, axis=1)
    starts = np.full((len(begins), texts), begins.shape[1], "int32")
    row, column = np.nonzero(begins & (numbers <= texts))
    starts[row, numbers[row, column] - 1] = column
    return starts, numbers > texts
