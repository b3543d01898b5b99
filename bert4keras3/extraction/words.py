"""Word segmentation as tags: 0 a single token, 1 first, 2 inside, 3 last of a word."""

from collections.abc import Sequence

import numpy as np

from bert4keras3.extraction.spans import offset_array, same_count

SINGLE, FIRST, INSIDE, LAST = range(4)


def words_to_tags(
    batch: Sequence[Sequence[str]], offsets: Sequence | None = None
) -> list[np.ndarray]:
    """Return the tags (n,) int32 of the words of every text.

    batch: one list of words for every text; joined, they are the text.
    offsets: one (n, 2) for every text, for the tags of its tokens; without it every
        character is a token. Tokens without characters ([CLS], [SEP]) have tag 0, and
        a token that spans several words counts for all of them.
    """
    if offsets is None:
        return [_tags_of_sizes(words, row) for row, words in enumerate(batch)]
    same_count("words", len(batch), "offsets", len(offsets))
    result = []
    for row, words in enumerate(batch):
        starts, ends = word_edges(words, row)
        places = offset_array(offsets[row], row)
        first = np.isin(places[:, 0], starts)
        last = np.isin(places[:, 1], ends)
        tags = np.select([first & last, first, last], [SINGLE, FIRST, LAST], INSIDE)
        tags[places[:, 1] <= places[:, 0]] = SINGLE
        size, reached = sum(map(len, words)), int(places[:, 1].max(initial=0))
        if reached > size:
            raise ValueError(
                f"offsets[{row}] reach character {reached}, but the words of text "
                f"{row} have {size}. Tokenize ''.join(words)."
            )
        result.append(tags.astype("int32"))
    return result


def word_edges(words: Sequence[str], row: int) -> tuple[np.ndarray, np.ndarray]:
    """Starts and ends of the words in the joined text, blanks around them left out."""
    check_words(words, row)
    ends = np.cumsum([len(word) for word in words], dtype="int64")
    starts = ends - [len(word) for word in words]
    left = [len(word) - len(word.lstrip()) for word in words]
    right = [len(word) - len(word.rstrip()) for word in words]
    return starts + left, ends - right


def check_words(words: Sequence[str], row: int) -> None:
    """Raise TypeError for a str, ValueError for an empty word."""
    if isinstance(words, str):
        raise TypeError(
            f"words of text {row} must be a list of str. Received the str {words!r}: "
            "split it, and give one list for every text."
        )
    if not all(words):
        raise ValueError(
            f"text {row} has an empty word: {list(words)[:10]}. Leave it out."
        )


def _tags_of_sizes(words: Sequence[str], row: int) -> np.ndarray:
    """The tags of the characters of words."""
    check_words(words, row)
    sizes = np.array([len(word) for word in words], "int64")
    ends = np.cumsum(sizes)
    tags = np.full(int(sizes.sum()), INSIDE, "int32")
    tags[ends - 1] = LAST
    tags[ends - sizes] = FIRST
    tags[ends[sizes == 1] - 1] = SINGLE
    return tags


def words_of(
    texts: Sequence[str], tags: Sequence, offsets: Sequence | None = None
) -> list[list[str]]:
    """Cut the texts of a batch before every token with tag 0 or 1.

    tags: (B, T) or one list for every text; what comes after its tokens is not read.
    offsets: one (n, 2) for every text; without it every character is a token.
    Nothing but blanks at the cuts is lost: characters without a token stay with the
    word before them, and what truncation left out is one more word.
    """
    same_count("texts", len(texts), "tags", len(tags))
    if offsets is not None:
        same_count("texts", len(texts), "offsets", len(offsets))
    result = []
    for row, text in enumerate(texts):
        if offsets is None:
            starts = np.arange(len(text))
            ends = starts + 1
        else:
            starts, ends = offset_array(offsets[row], row).T
        ids = np.asarray(tags[row])[: len(starts)]
        if len(ids) < len(starts):
            raise ValueError(
                f"tags[{row}] has {len(ids)} tags for {len(starts)} tokens. Take the "
                "offsets of the tokens that the model read."
            )
        real = ends > starts
        cuts = {0, len(text), *starts[real & (ids < INSIDE)].tolist()}
        cuts.add(int(ends.max(initial=0)))
        edges = sorted(cuts)
        pieces = [text[a:b].strip() for a, b in zip(edges, edges[1:], strict=False)]
        result.append([piece for piece in pieces if piece])
    return result
