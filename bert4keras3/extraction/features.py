"""What a model reads of a text, and where its tokens stand in it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Features(NamedTuple):
    """token_ids, segment_ids: lists of n ints; offsets: (n, 2) int32, end open."""

    token_ids: list[int]
    segment_ids: list[int]
    offsets: np.ndarray

    @property
    def inputs(self) -> tuple[list[int], list[int]]:
        """The two inputs of a BERT-like model."""
        return self.token_ids, self.segment_ids


def featurize(
    tokenizer, texts: Sequence[str], maxlen: int | None = None
) -> list[Features]:
    """Tokenize the texts of a data set, truncated to maxlen tokens.

    Raises ValueError if the tokenizer cannot say where its tokens come from, TypeError
    for one str instead of a list.
    """
    if isinstance(texts, str):
        raise TypeError(
            f"featurize takes a list of texts. Received the str {texts[:40]!r}: write "
            "[text]."
        )
    result = []
    for text in texts:
        tokens = tokenizer.tokenize(text, maxlen=maxlen)
        ids = tokenizer.tokens_to_ids(tokens)
        result.append(Features(ids, [0] * len(ids), tokenizer.offsets(text, tokens)))
    return result
