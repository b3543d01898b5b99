"""Pseudo summaries, the pretraining data of T5-PEGASUS: a text and its best sentences.

The sentences that have most in common with the rest of a document are cut out of it and
become the target; the model learns to write them from the rest.
"""

from collections.abc import Iterator, Sequence

from bert4keras3.utils.text import text_segmentate


def lcs_length(source, target) -> int:
    """Length of the longest common subsequence of two texts (or sequences).

    Equal to `longest_common_subsequence(source, target)[0]`, nine times as fast:
    a column of the table of lengths is one int, of whose bits those are 0 where the
    length grows (Hyyrö, 2004: Bit-parallel LCS-length computation revisited).
    """
    if len(source) < len(target):  # the long one goes into the bits
        source, target = target, source
    full = (1 << len(source)) - 1
    return _common([target], _places(source), full, full)


def pseudo_summary(sentences: Sequence[str], ratio: float = 0.25) -> tuple[str, str]:
    """Split a document into (source, target), the target being its pseudo summary.

    sentences: of the document in order, at least two that are not empty; ratio: the
    target grows until it is longer than this share of the source, in characters.
    Greedy: every step moves the sentence from source to target after which the longest
    common subsequence of the two, of characters, is longest; of equals the first. Both
    keep the document's order. It also ends with one sentence left in the source; where
    the source is then the shorter one, the two change places.
    Raises ValueError for fewer sentences or a ratio that is not positive.
    https://github.com/ZhuiyiTechnology/t5-pegasus
    """
    sentences = [one for one in sentences if one]
    target = set(summary_sentences(sentences, ratio))
    parts = [], []
    for i, one in enumerate(sentences):
        parts[i in target].append(one)
    return "".join(parts[0]), "".join(parts[1])


def summary_sentences(sentences: Sequence[str], ratio: float = 0.25) -> list[int]:
    """Which of the sentences are the target of `pseudo_summary`, rising.

    sentences: none of them empty; otherwise as there, and it raises the same.
    """
    if len(sentences) < 2 or not ratio > 0:
        raise ValueError(
            "pseudo_summary needs two sentences or more and ratio > 0. Received: "
            f"{len(sentences)} that are not empty, ratio={ratio}"
        )
    text = "".join(sentences)
    places, spans, start = _places(text), [], 0
    for one in sentences:
        spans.append(((1 << len(one)) - 1) << start)
        start += len(one)
    full = kept = (1 << len(text)) - 1
    left, moved, size = list(range(len(sentences))), [], 0
    while len(left) > 1 and size <= ratio * (len(text) - size):
        scores = []
        for i in left:
            target = [sentences[j] for j in sorted([*moved, i])]
            scores.append(_common(target, places, kept & ~spans[i], full))
        best = left.pop(scores.index(max(scores)))
        moved, kept = [*moved, best], kept & ~spans[best]
        size += len(sentences[best])
    return sorted(moved) if 2 * size <= len(text) else left


def documents(
    text: str, piece: int = 32, least: int = 768, seps: str = "\n。"
) -> Iterator[list[str]]:
    """Yield documents, lists of consecutive sentences of a long text.

    piece: characters of a sentence, about: see `text_segmentate`; least: a document
    grows until it has more characters and three sentences; T5-PEGASUS takes 1.5 * 512.
    Line ends are dropped. What is left at the end is a document too if it has three
    sentences.
    """
    document = []
    for one in filter(None, text_segmentate(text, piece, seps, strips="\n")):
        document.append(one)
        if len(document) >= 3 and sum(map(len, document)) > least:
            yield document
            document = []
    if len(document) >= 3:
        yield document


def _places(source):
    """{item: int whose bits are 1 where the item stands in the source}."""
    places = {}
    for i, one in enumerate(source):
        places[one] = places.get(one, 0) | 1 << i
    return places


def _common(target, places, kept, full):
    """LCS length of a target, given in parts, and of the source's items at `kept`.

    kept, full: ints, the bits of the items that count and of all. An item that matches
    nothing is as if it were not there, but its bit stays: carries pass through it.
    """
    column = full
    for part in target:
        for one in part:
            hits = column & kept & places.get(one, 0)
            column = (column + hits | column - hits) & full
    return (full ^ column).bit_count()
