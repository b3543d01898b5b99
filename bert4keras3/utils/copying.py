"""Labels of the copy mechanism: which tokens of a target come from its source."""

import numpy as np


def copy_labels(source, target):
    """0, 1, 2 for each token of `target`: free, begins a copied piece, continues it.

    source, target: lists of token ids or tokens. Copied are the tokens of a longest
    common subsequence; a piece are neighbours in both (https://kexue.fm/archives/8046).

        copy_labels("今天天气很好", "天气好")  # [1, 2, 1]
    """
    codes = {one: i for i, one in enumerate(dict.fromkeys([*source, *target]))}
    columns = np.array([codes[one] for one in source], dtype=np.int64)
    rows = np.array([codes[one] for one in target], dtype=np.int64)
    same = rows[:, None] == columns[None]
    lengths = np.zeros((len(target) + 1, len(source) + 1), dtype=np.int32)
    for i, equal in enumerate(same):
        longer = np.maximum(lengths[i, 1:], lengths[i, :-1] + equal)
        lengths[i + 1, 1:] = np.maximum.accumulate(longer)
    found = _path(lengths, same)
    labels = []
    for i, place in enumerate(found):
        goes_on = place is not None and i and found[i - 1] == place - 1
        labels.append(0 if place is None else 2 if goes_on else 1)
    return labels


def _path(lengths, same):
    """Place in the source of each target token, or None: the last best path.

    It goes along equal tokens as long as it can, which makes for long pieces.
    """
    i, j = same.shape
    found = [None] * i
    while i and j:
        if same[i - 1, j - 1]:
            i, j = i - 1, j - 1
            found[i] = j
        elif lengths[i, j] == lengths[i, j - 1]:
            j -= 1
        else:
            i -= 1
    return found
