"""TokenizerBase: from tokens to ids, pairs, truncation and padded batches."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from bert4keras3.tokenizers.batch import (
    Flat,
    Rows,
    assemble,
    flatten,
    pad_lists,
    plan_length,
    truncate,
)
from bert4keras3.utils.text import balanced_lengths, drop_at


class TextTypeError(TypeError, ValueError):
    """A text is neither a str nor a list of tokens (a NaN from pandas, say)."""


class TokenizerBase:
    """What all tokenizers share; subclasses define `_tokenize` and the vocabulary.

    token_start, token_end: tokens put around every text; None = none.
    pre_tokenize: text -> list of words, run before the tokenizer's own splitting.
    token_translate: dict of token -> token used in its place.
    """

    def __init__(
        self,
        token_start: str | None = "[CLS]",
        token_end: str | None = "[SEP]",
        pre_tokenize: Callable[[str], list[str]] | None = None,
        token_translate: dict[str, str] | None = None,
    ):
        self._token_pad, self._token_unk = "[PAD]", "[UNK]"
        self._token_mask = "[MASK]"
        self._token_start = token_start
        self._token_end = token_end
        self._pre_tokenize = pre_tokenize
        self._token_translate = token_translate or {}
        self._token_translate_inv = {v: k for k, v in self._token_translate.items()}

    def _tokenize(self, text: str) -> list[str]:
        raise NotImplementedError(f"{type(self).__name__} must define _tokenize.")

    def token_to_id(self, token: str) -> int:
        """Return the id of a token."""
        raise NotImplementedError(f"{type(self).__name__} must define token_to_id.")

    def id_to_token(self, i: int) -> str:
        """Return the token of an id."""
        raise NotImplementedError(f"{type(self).__name__} must define id_to_token.")

    def decode(self, ids, tokens=None) -> str:
        """Return the text of ids."""
        raise NotImplementedError(f"{type(self).__name__} must define decode.")

    def tokens_to_ids(self, tokens: Iterable[str]) -> list[int]:
        """Return the ids of tokens."""
        return [self.token_to_id(token) for token in tokens]

    def ids_to_tokens(self, ids: Iterable[int]) -> list[str]:
        """Return the tokens of ids."""
        return [self.id_to_token(i) for i in ids]

    def tokenize(self, text: str, maxlen: int | None = None) -> list[str]:
        """Split a text into tokens, with start and end token.

        maxlen: tokens kept, both included; the ones before the end token go first.
        """
        if not isinstance(text, str):
            raise _wrong_type(text)
        tokens = self._translated(self._tokenize(text))
        if self._token_start is not None:
            tokens.insert(0, self._token_start)
        if self._token_end is not None:
            tokens.append(self._token_end)
        if maxlen is not None:
            tokens = drop_at(tokens, self._index("right"), len(tokens) - maxlen)
        return tokens

    def _translated(self, tokens: list[str]) -> list[str]:
        """Copy of tokens, with token_translate applied."""
        if not self._token_translate:
            return list(tokens)
        return [self._token_translate.get(token) or token for token in tokens]

    def _index(self, truncate_from) -> int:
        """Position removed again and again from a sequence that is too long."""
        if truncate_from == "right":
            return -1 - (self._token_end is not None)
        if truncate_from == "left":
            return int(self._token_start is not None)
        if isinstance(truncate_from, int):
            return truncate_from
        raise ValueError(
            "truncate_from must be 'right', 'left' or a position. "
            f"Received {truncate_from!r}."
        )

    def encode(
        self,
        first_text,
        second_text=None,
        maxlen: int | None = None,
        pattern: str = "S*E*E",
        truncate_from: str | int = "right",
    ) -> tuple[list[int], list[int]]:
        """Return (token_ids, segment_ids) of a text or a pair of texts.

        first_text, second_text: str, or the list of tokens `tokenize` returns.
        maxlen: bound of the total; the longer text is shortened first.
        pattern: "S*E*E" = start a end b end; any other keeps the second start token.
        truncate_from: "right" (before the end token), "left", or a position.
        """
        first = self._tokens(first_text)
        if second_text is None:
            if maxlen is not None:
                excess = len(first) - maxlen
                first = drop_at(first, self._index(truncate_from), excess)
            return self.tokens_to_ids(first), [0] * len(first)
        second = self._tokens(second_text)
        # The second start token is removed after truncation, so it does not count.
        skipped = int(self._token_start is not None and pattern == "S*E*E")
        if maxlen is not None:
            index = self._index(truncate_from)
            sizes = len(first), len(second)
            kept = balanced_lengths(sizes, maxlen + skipped)
            first = drop_at(first, index, sizes[0] - kept[0])
            second = drop_at(second, index, sizes[1] - kept[1])
        second = second[skipped:]
        segments = [0] * len(first) + [1] * len(second)
        return self.tokens_to_ids(first + second), segments

    def _tokens(self, text) -> list[str]:
        """Tokens of a text; a list of tokens is copied, never changed in place."""
        if isinstance(text, str):
            return self.tokenize(text)
        if isinstance(text, list):
            return list(text)
        raise _wrong_type(text)

    def encode_batch(
        self,
        texts: Sequence,
        second_texts: Sequence | None = None,
        maxlen: int | None = None,
        length=None,
        pattern: str = "S*E*E",
        truncate_from: str | int = "right",
        as_lists: bool = False,
    ):
        """Encode many texts (or pairs) at once, with the ids of `encode`.

        length: None or "longest" = the longest row; an int = that; several ints or
            LengthBuckets = the smallest that holds the batch. Texts are truncated to
            the (largest) length given, so no row loses its end token.
        as_lists: return lists of unpadded lists in place of arrays.
        Returns (token_ids, segment_ids), each (N, L) int32, padded at the end.
        """
        for one in (texts, second_texts):
            if isinstance(one, str):
                raise TextTypeError(
                    f"encode_batch takes a list of texts. Received the text {one!r}: "
                    "pass [text], or use encode(text)."
                )
        texts = list(texts)
        seconds = None if second_texts is None else list(second_texts)
        _check_batch(texts, seconds)
        maxlen, fit = plan_length(maxlen, length)
        rows = self._encode_rows(texts, seconds, maxlen, pattern, truncate_from)
        if rows is None:
            pairs = [None] * len(texts) if seconds is None else seconds
            encoded = [
                self.encode(first, second, maxlen, pattern, truncate_from)
                for first, second in zip(texts, pairs, strict=True)
            ]
            ids, segments = zip(*encoded, strict=True) if encoded else ((), ())
            if as_lists:
                return list(ids), list(segments)
            pad = getattr(self, "_token_pad_id", 0)
            return pad_lists(ids, fit, pad), pad_lists(segments, fit, 0)
        return assemble(rows, fit, getattr(self, "_token_pad_id", 0), as_lists)

    def encode_flat(self, texts: Sequence[str]) -> Flat:
        """Return (ids (n,) int32, counts (N,)) of many texts, one after another.

        Start and end token are left out; counts: the tokens of each text. Nothing is
        padded, so that texts of very different lengths can go together.
        """
        if isinstance(texts, str):
            raise TextTypeError(
                f"encode_flat takes a list of texts. Received the text {texts!r}."
            )
        texts = list(texts)
        _check_batch(texts, None)
        if self._is_plain() and _all_str(texts):
            return self._encode_flat(texts, None)
        head = int(self._token_start is not None)
        tail = None if self._token_end is None else -1
        return flatten([self.encode(text)[0][head:tail] for text in texts])

    def _encode_rows(
        self, texts, seconds, maxlen, pattern, truncate_from
    ) -> Rows | None:
        """Encode all texts at once; None = not sure to give the ids of `encode`."""
        around = (self._token_start is not None) + (self._token_end is not None)
        # Less room than special tokens, or a position, cuts into special tokens.
        least = around if seconds is None else 2 * around + 1
        if maxlen is not None and (
            truncate_from not in ("right", "left") or maxlen < least
        ):
            return None
        if not (self._is_plain() and _all_str(texts) and _all_str(seconds or ())):
            return None
        limit = maxlen + 1 if maxlen is not None and truncate_from == "right" else None
        start, end = (
            None if token is None else self.token_to_id(token)
            for token in (self._token_start, self._token_end)
        )
        first = self._encode_flat(texts, limit)
        second = None if seconds is None else self._encode_flat(seconds, limit)
        rows = Rows(first, second, start, end, pattern != "S*E*E")
        return rows if maxlen is None else truncate(rows, maxlen, truncate_from)

    def _is_plain(self) -> bool:
        """Tell whether `_encode_flat` gives the ids of `encode`."""
        return False

    def _encode_flat(self, texts: list[str], limit: int | None) -> Flat:
        """Encode texts without special tokens; ids after `limit` may be missing."""
        raise NotImplementedError(f"{type(self).__name__} must define _encode_flat.")

    def _keeps(self, cls: type, names: Sequence[str]) -> bool:
        """Tell whether no subclass or instance replaces methods of `cls`."""
        return all(
            getattr(type(self), name) is getattr(cls, name) and name not in vars(self)
            for name in names
        )

    def rematch_batch(self, texts: Sequence[str], tokens: Sequence) -> list:
        """Return `rematch(text, tokens)` of every text and its tokens."""
        return [self.rematch(a, b) for a, b in zip(texts, tokens, strict=True)]

    def rematch(self, text: str, tokens: Sequence[str]) -> list[list[int]]:
        """Return the character positions in `text` of every token."""
        raise NotImplementedError(f"{type(self).__name__} has no rematch.")

    def offsets(self, text: str, tokens: Sequence[str]) -> np.ndarray:
        """Return the spans (T, 2) int32 of tokens in `text`, start and end (open).

        Special tokens have the span (0, 0).
        """
        spans = [(m[0], m[-1] + 1) if m else (0, 0) for m in self.rematch(text, tokens)]
        return np.array(spans, "int32").reshape(-1, 2)


def _wrong_type(text, where: str = "") -> TextTypeError:
    if isinstance(text, tuple):
        return TextTypeError(
            f"a text must be a str. Received{where} the tuple {text!r}: give the two "
            "texts of a pair apart, encode(first, second) or "
            "encode_batch(firsts, seconds); a list of tokens must be a list."
        )
    return TextTypeError(
        f"a text must be a str (or, in encode, a list of tokens). Received{where} "
        f"{text!r} of type {type(text).__name__}. Convert it with str(), or drop rows "
        "without text."
    )


def _check_batch(texts: list, seconds: list | None) -> None:
    """Raise on a wrong type, naming its row, or on lists of different length."""
    for name, column in (("texts", texts), ("second_texts", seconds or ())):
        for row, text in enumerate(column):
            if not isinstance(text, (str, list)):
                raise _wrong_type(text, f" in {name}[{row}]")
    if seconds is not None and len(seconds) != len(texts):
        raise ValueError(
            f"texts and second_texts must have the same length. Received {len(texts)} "
            f"and {len(seconds)}."
        )


def _all_str(texts) -> bool:
    return all(isinstance(text, str) for text in texts)
