"""Joining WordPiece tokens back into text, and finding them in the original."""

import re
import unicodedata
from collections.abc import Sequence

from bert4keras3.tokenizers.characters import (
    CJK_PUNCTUATION,
    is_cjk,
    is_dropped,
    is_punctuation,
)

_CONTRACTION = re.compile(r"' (re|m|s|t|ve|d|ll) ")
_TIGHT = re.compile("([" + re.escape(CJK_PUNCTUATION + "+-/={(<[") + "]) ")
_DECIMAL = re.compile(r"(\d\.) (\d)")


def join_tokens(tokens: Sequence[str]) -> str:
    """Join tokens (without special ones) into readable text; lossy."""
    text = ""
    for token in tokens:
        if token.startswith("##"):
            text += token[2:]
        elif len(token) == 1 and is_cjk(token):
            text += token
        elif len(token) == 1 and is_punctuation(token):
            text += token + " "
        elif text and is_cjk(text[-1]):
            text += token
        else:
            text += " " + token
    text = re.sub(" +", " ", text)
    text = _CONTRACTION.sub(r"'\1 ", text)
    text = _TIGHT.sub(r"\1", text)
    return _DECIMAL.sub(r"\1\2", text).strip()


def normalize_with_origins(text: str, lower: bool) -> tuple[str, list[int]]:
    """Return the text the tokenizer reads and, for each character, its origin.

    The origin is a position in `text` itself: "İ" lower-cased is two characters, which
    must not shift the positions after it.
    """
    chars = [(c, i) for i, c in enumerate(text)]
    if lower:
        # Only the whole text tells a final sigma; lengths agree character by character.
        origins = [i for c, i in chars for _ in c.lower()]
        lowered = zip(text.lower(), origins, strict=True)
        chars = [(d, i) for c, i in lowered for d in unicodedata.normalize("NFD", c)]
        chars = _canonical_order(chars)
        chars = [(c, i) for c, i in chars if unicodedata.category(c) != "Mn"]
    chars = [(c, i) for c, i in chars if not is_dropped(c)]
    return "".join(c for c, _ in chars), [i for _, i in chars]


def _canonical_order(chars: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """Sort runs of combining marks by class, as NFD of the whole text does."""
    ordered, run = [], []
    for pair in chars:
        if unicodedata.combining(pair[0]):
            run.append(pair)
            continue
        ordered += sorted(run, key=lambda p: unicodedata.combining(p[0]))
        ordered.append(pair)
        run = []
    return ordered + sorted(run, key=lambda p: unicodedata.combining(p[0]))
