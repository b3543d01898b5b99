"""Which characters of a text the tokens of a subword model come from.

These models report spans while they split, so `rematch` splits the text again and
finds the given tokens among what that gives.
"""

import re
from collections.abc import Sequence

_SURROGATE = re.compile("[\ud800-\udfff]")


def readable(text: str) -> str:
    """The text without lone surrogates: they have no UTF-8, which the models read."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def trimmed(text: str, start: int, end: int) -> list[int]:
    """Positions from start to end (open) without the spaces at both sides.

    A token of spaces only keeps them.
    """
    places = range(start, end)
    inner = [i for i in places if not text[i].isspace()]
    return list(range(inner[0], inner[-1] + 1)) if inner else list(places)


def pick(tokens: Sequence[str], pieces: list[str], mapping: list, text: str) -> list:
    """Return the positions of tokens that are what truncation left of `pieces`.

    mapping: positions of every piece. Truncation leaves a beginning, an end, or both.
    Raises ValueError if the tokens are not of this text.
    """
    tokens, count, size = list(tokens), len(tokens), len(pieces)
    if count <= size:
        if tokens == pieces[:count]:
            return mapping[:count]
        if tokens == pieces[size - count :]:
            return mapping[size - count :]
        head = next(i for i in range(count) if tokens[i] != pieces[i])
        if tokens[head:] == pieces[size - count + head :]:
            return mapping[:head] + mapping[size - count + head :]
    raise ValueError(
        f"these {count} tokens are not those of the text {text[:40]!r}, which gives "
        f"{size}. rematch needs the tokens of this very text, whole or truncated."
    )


def rematch_around(tokenizer, text: str, tokens: Sequence[str], pieces, mapping):
    """As `pick`, for tokens that may have the tokenizer's start and end around them."""
    tokens = list(tokens)
    first = int(bool(tokens) and tokens[0] == tokenizer._token_start)
    last = int(len(tokens) > first and tokens[-1] == tokenizer._token_end)
    inner = tokens[first : len(tokens) - last]
    found = pick(inner, tokenizer._translated(pieces), mapping, text)
    return [[] for _ in range(first)] + found + [[] for _ in range(last)]


def join_words(text: str, words: Sequence[str]) -> tuple[str, list[int]]:
    """Join the words of pre_tokenize by spaces.

    Returns the joined text and, for each of its characters, its position in `text`,
    which is -1 for the spaces put between words.
    Words may change characters one for one; otherwise they must occur in `text`.
    Raises ValueError if they do neither.
    """
    origins, place = [], 0
    same_size = sum(map(len, words)) == len(text)
    for number, word in enumerate(words):
        if number:
            origins.append(-1)
        start = place if same_size else text.find(word, place)
        if start < 0:
            raise ValueError(
                f"pre_tokenize gives the word {word!r}, which is not in the text after "
                f"position {place}. rematch needs words that occur in the text, or "
                "as many characters as the text has."
            )
        place = start + len(word)
        origins += range(start, place)
    return " ".join(words), origins
