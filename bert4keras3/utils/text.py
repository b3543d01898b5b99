"""String helpers: normalisation, segmentation, truncation, common subsequences."""

import re
import unicodedata
from collections.abc import Iterable, Sequence

import numpy as np


def is_string(value) -> bool:
    """Tell whether `value` is a str."""
    return isinstance(value, str)


def convert_to_unicode(text, encoding: str = "utf-8", errors: str = "ignore") -> str:
    """Return `text` as str, decoding bytes."""
    if isinstance(text, bytes):
        return text.decode(encoding, errors)
    return text


def convert_to_str(text, encoding: str = "utf-8", errors: str = "ignore") -> str:
    """Return `text` as the native string type, which is str on Python 3."""
    return convert_to_unicode(text, encoding, errors)


def strQ2B(text: str) -> str:
    """Turn full-width forms (U+FF01-U+FF5E) and U+3000 into their ASCII twins."""
    return text.translate(_HALF_WIDTH)


_HALF_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_HALF_WIDTH[0x3000] = 0x20


def string_matching(text: str, patterns: Iterable[str]) -> bool:
    """Tell whether any regular expression of `patterns` is found in `text`."""
    return any(re.search(pattern, text) for pattern in patterns)


def lowercase_and_normalize(text: str) -> str:
    """Lower-case, decompose (NFD) and drop non-spacing marks, i.e. accents."""
    text = text.lower()
    if text.isascii():
        return text
    decomposed = unicodedata.normalize("NFD", text)
    return "".join(c for c in decomposed if unicodedata.category(c) != "Mn")


def text_segmentate(
    text: str, maxlen: int, seps: str = "\n", strips: str | None = None
) -> list[str]:
    """Cut `text` into pieces of about `maxlen` characters at separators.

    seps: separators in order of preference; each stays at the end of its piece.
    strips: characters stripped from both ends of every piece.
    A piece stays longer than maxlen where no separator helps.
    """
    text = text.strip().strip(strips)
    if not seps or len(text) <= maxlen:
        return [text]
    *heads, last = text.split(seps[0])
    result, merged = [], ""
    for part, ending in [(head, seps[0]) for head in heads] + [(last, "")]:
        if merged and part and len(merged) + len(part) > maxlen - 1:
            result += text_segmentate(merged, maxlen, seps[1:], strips)
            merged = ""
        merged += part + ending
    if merged:
        result += text_segmentate(merged, maxlen, seps[1:], strips)
    return result


def balanced_lengths(lengths: Sequence[int], maxlen: int) -> list[int]:
    """Return the lengths left after shortening the longest until the sum fits.

    On ties the earlier sequence is shortened first, so a remainder that cannot be
    shared evenly goes to the later ones.
    """
    kept = list(lengths)
    if sum(kept) <= maxlen:
        return kept
    long, budget = list(range(len(kept))), maxlen
    while True:
        level, extra = divmod(budget, len(long))
        fitting = [i for i in long if kept[i] <= level]
        if not fitting:
            break
        budget -= sum(kept[i] for i in fitting)
        long = [i for i in long if kept[i] > level]
    for rank, i in enumerate(long):
        kept[i] = level + (rank >= len(long) - extra)
    return kept


def drop_at(sequence: list, index: int, count: int) -> list:
    """Return `sequence` without the `count` items a repeated pop(index) removes."""
    size = len(sequence)
    if count <= 0:
        return sequence[:]
    first = index if index >= 0 else size + index - count + 1
    if first < 0 or first + count > size:
        raise ValueError(
            f"cannot shorten a sequence of {size} items by {count} at index {index}: "
            "the index leaves the sequence. Raise maxlen, or truncate nearer to the "
            "end of the sequence."
        )
    return sequence[:first] + sequence[first + count :]


def truncate_sequences(maxlen: int, indices, *sequences) -> list[list]:
    """Shorten the longest sequences until their total length is at most `maxlen`.

    indices: position removed from a sequence, one int for all or one for each.
    sequences: lists; None and empty ones are left out of the result.
    Lists are shortened in place and returned, as in bert4keras: published scripts use
    their own lists afterwards. Tuples and arrays come back as lists.
    """
    if not isinstance(indices, (list, tuple)):
        indices = [indices] * len(sequences)
    if len(indices) != len(sequences):
        raise ValueError(
            f"truncate_sequences needs one index for each sequence. Received "
            f"{len(indices)} indices for {len(sequences)} sequences; pass one int "
            "to use it for all."
        )
    if maxlen < 0:
        raise ValueError(f"maxlen must be at least 0. Received maxlen={maxlen}.")
    given = [(s, i) for s, i in zip(sequences, indices, strict=True) if s]
    lists = [s if isinstance(s, list) else list(s) for s, _ in given]
    kept = balanced_lengths([len(s) for s in lists], maxlen)
    places = [i for _, i in given]
    shorter = [
        drop_at(list(s), i, len(s) - k)
        for s, i, k in zip(lists, places, kept, strict=True)
    ]
    for one, values in zip(lists, shorter, strict=True):
        one[:] = values  # once nothing can fail any more
    return lists


def longest_common_substring(source, target) -> tuple[int, tuple[int, int, int, int]]:
    """Return (length, (a0, a1, b0, b1)) of the first longest common substring."""
    best, spans = 0, (0, 0, 0, 0)
    previous = [0] * (len(target) + 1)
    for i, a in enumerate(source, 1):
        current = [0] * (len(target) + 1)
        for j, b in enumerate(target, 1):
            if a == b:
                current[j] = previous[j - 1] + 1
                if current[j] > best:
                    best = current[j]
                    spans = (i - best, i, j - best, j)
        previous = current
    return best, spans


def longest_common_subsequence(source, target) -> tuple[int, list[tuple[int, int]]]:
    """Return (length, index pairs) of a longest common subsequence.

    source, target: sequences of hashable items, such as characters or token ids.
    """
    codes = {one: i for i, one in enumerate(dict.fromkeys([*source, *target]))}
    rows, columns = (np.array([codes[x] for x in y], int) for y in (source, target))
    same = rows[:, None] == columns
    table = np.zeros((len(rows) + 1, len(columns) + 1), np.int32)
    for i, equal in enumerate(same):
        longer = np.maximum(table[i, 1:], table[i, :-1] + equal)
        table[i + 1, 1:] = np.maximum.accumulate(longer)
    pairs, (i, j) = [], same.shape
    while i > 0 and j > 0:
        if same[i - 1, j - 1]:
            i, j = i - 1, j - 1
            pairs.append((i, j))
        elif table[i, j - 1] > table[i - 1, j]:
            j -= 1
        else:
            i -= 1
    return int(table[-1, -1]), pairs[::-1]
