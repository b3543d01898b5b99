"""Labels of the copy mechanism: which tokens of a target come from its source."""

from bert4keras3.utils.text import longest_common_subsequence


def copy_labels(source, target) -> list[int]:
    """0, 1, 2 for each token of `target`: free, begins a copied piece, continues it.

    source, target: lists of token ids or tokens. Copied are the tokens of a longest
    common subsequence; a piece are neighbours in both (https://kexue.fm/archives/8046).

        copy_labels("今天天气很好", "天气好")  # [1, 2, 1]
    """
    pairs = set(longest_common_subsequence(source, target)[1])
    labels = [0] * len(target)
    for i, j in pairs:
        labels[j] = 2 if (i - 1, j - 1) in pairs else 1
    return labels
