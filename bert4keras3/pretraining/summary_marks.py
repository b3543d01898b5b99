"""Pseudo summaries as flags of tokens: found once, when shards are written."""

from collections.abc import Iterator

import numpy as np

from bert4keras3.pretraining.pairs import border
from bert4keras3.pretraining.shards import DOCUMENT, PIECE, SENTENCE, SUMMARY
from bert4keras3.utils.pseudo_summary import summary_sentences

_MOST_PARTS = 40  # into which a text is cut, whose common subsequences are compared
_NO_DRAW = np.uint64(1 << 31)  # the middle: a text of one sentence is halved


def mark_summaries(ids, flags, size: int, ratio: float = 0.25) -> np.ndarray:
    """Flags of whole documents, with the marks of pieces and of their summaries.

    ids, flags: (n,), as `ShardWriter.add` takes them. A document is cut into pieces of
    whole sentences, as many as fit into `size` tokens, a longer sentence into parts:
    PIECE is where one begins, SUMMARY at the tokens of its `summary_of`.
    Raises ValueError for a size below 2 or a ratio that is not positive.
    """
    if size < 2 or not ratio > 0:
        raise ValueError(
            "pieces need 2 tokens or more, and a ratio above 0. Received: "
            f"{size} tokens, ratio={ratio}"
        )
    marked = flags.copy()
    borders = np.flatnonzero(flags & SENTENCE)
    starts = np.flatnonzero(flags & DOCUMENT)
    ends = np.append(starts, len(flags))[1:] - 1  # without the end tokens
    for first, end in zip(starts.tolist(), ends.tolist(), strict=True):
        for low, high in _pieces(first, end, borders, size):
            marked[low] |= PIECE
            chosen = summary_of(ids[low:high], flags[low:high], ratio)
            marked[low:high][chosen] |= SUMMARY
    return marked


def _pieces(begin, end, borders, size) -> Iterator[tuple[int, int]]:
    while end - begin > size:
        border = int(borders[np.searchsorted(borders, begin + size, "right") - 1])
        after = border if border > begin else begin + size
        yield begin, after
        begin = after
    yield begin, end


def summary_of(ids: np.ndarray, flags: np.ndarray, ratio: float) -> np.ndarray:
    """(n,) bool: the tokens of the pseudo summary of a text, ids and flags (n,).

    See `utils.pseudo_summary`; of a single sentence it is the second half. Sentences
    below a fortieth of the text count as one with the next: time grows with the square
    of their number.
    """
    chosen = np.zeros(len(ids), bool)
    cuts = _cuts(np.flatnonzero(flags[1:] & SENTENCE) + 1, len(ids) // _MOST_PARTS)
    if not len(cuts):
        chosen[border(flags, _NO_DRAW) :] = True
        return chosen
    # A token is a character of its own, so that texts are what is compared.
    parts = np.split(ids, cuts)
    texts = ["".join(map(chr, part.tolist())) for part in parts]
    of_target = np.zeros(len(parts), bool)
    of_target[summary_sentences(texts, ratio)] = True
    return np.repeat(of_target, [len(part) for part in parts])


def _cuts(places: np.ndarray, least: int) -> list[int]:
    """Those of the places between which there are `least` tokens."""
    kept, last = [], 0
    for place in places.tolist():
        if place - last >= least:
            kept.append(place)
            last = place
    return kept
