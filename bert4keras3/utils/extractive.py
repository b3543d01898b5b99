"""Extractive summaries: sentences of a text, and those that a summary is made of."""

import re
from collections import Counter
from collections.abc import Sequence

_SENTENCE = re.compile(r"[^。！？；!?;\n]*(?:[。！？；!?;\n]+[”’」』）]*|$)")


def split_sentences(text: str) -> list[str]:
    """Cut a text behind 。！？； and line ends; the pieces together are the text."""
    return [one for one in _SENTENCE.findall(text) if one]


def extractive_labels(sentences: Sequence[str], summary: str) -> list[int]:
    """Tell which sentences a summary is made of: 1 or 0 for each of N sentences.

    sentences: of a document; summary: of the same. The sentence that raises the score
    of all chosen ones most is chosen, again and again, until none raises it. The score
    is the mean F1 of single characters and of pairs, counted without blanks.
    Reference: https://arxiv.org/abs/1611.04230, https://kexue.fm/archives/8046
    """
    pieces, target = [_grams(one) for one in sentences], _grams(summary)
    labels, best = [0] * len(pieces), 0.0
    chosen = tuple(Counter() for _ in target)
    while True:
        scores = {
            i: _score(_sum(chosen, piece), target)
            for i, piece in enumerate(pieces)
            if not labels[i]
        }
        i = max(scores, key=scores.get, default=None)
        if i is None or scores[i] <= best:
            return labels
        labels[i], best = 1, scores[i]
        chosen = _sum(chosen, pieces[i])


def _grams(text: str) -> tuple[Counter, Counter]:
    """Counts of the characters of a text and of its pairs of characters."""
    text = "".join(text.lower().split())
    return Counter(text), Counter(zip(text, text[1:], strict=False))


def _sum(first, second):
    return tuple(a + b for a, b in zip(first, second, strict=True))


def _score(found, target) -> float:
    """Mean F1 of two tuples of counts."""
    total = 0.0
    for a, b in zip(found, target, strict=True):
        both = sum((a & b).values())
        total += 2 * both / max(sum(a.values()) + sum(b.values()), 1)
    return total / len(target)
