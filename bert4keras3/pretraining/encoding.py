"""From texts to token ids with flags: documents, sentences and words."""

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path

import numpy as np

from bert4keras3.pretraining.shards import (
    CONTINUES,
    DOCUMENT,
    SENTENCE,
    SPECIAL,
    Summaries,
    Vocabulary,
    tokens_of,
)
from bert4keras3.pretraining.summary_marks import mark_summaries
from bert4keras3.tokenizers import Tokenizer
from bert4keras3.tokenizers.characters import is_cjk, is_punctuation, is_space

_STOPS, _CLOSING = "。！？!?…", "”’」』）)"
_BORDER = re.compile(
    rf"(?<=[{_STOPS}])(?![{_STOPS}{_CLOSING}])"
    rf"|(?<=[{_STOPS}][{_CLOSING}])(?![{_STOPS}{_CLOSING}])"
    r"|(?<=\.)\s+|\n+"
)
_REMEMBERED = 1 << 20  # words whose ids are kept


def split_sentences(text: str) -> list[str]:
    """Sentences of a text: they end after 。！？!?… and closing quotes, ". ", "\\n"."""
    return [one for one in _BORDER.split(text) if one.strip()]


def read_documents(paths: Iterable, unit: str = "line") -> Iterator[str]:
    """Yield the documents of UTF-8 text files.

    unit: "line" = every line that is not empty is a document; "document" = empty lines
    part documents, whose lines end sentences.
    Raises ValueError for bytes that are no UTF-8, with file and line.
    """
    if isinstance(paths, (str, Path)):
        raise ValueError(f"paths must be a list of files. Received: {paths!r}")
    if unit not in ("line", "document"):
        raise ValueError(f'unit must be "line" or "document". Received: {unit!r}')
    for path in paths:
        lines = _lines(path)
        yield from filter(None, lines) if unit == "line" else _joined(lines)


def _lines(path) -> Iterator[str]:
    """Lines without their ends and the spaces around."""
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            try:
                yield line.decode("utf-8").strip()
            except UnicodeDecodeError as error:
                raise ValueError(
                    f"{path}, line {number}: not UTF-8 ({error}). Convert the file."
                ) from error


def _joined(lines: Iterable[str]) -> Iterator[str]:
    document = []
    for line in chain(lines, [""]):
        if line:
            document.append(line)
        elif document:
            yield "\n".join(document)
            document = []


class DocumentEncoder:
    """Encode a list of documents: (ids int32, flags uint8), both (n,).

    Arguments as in `write_shards`, where summaries has the ratio too; can be sent to
    other processes.
    """

    def __init__(
        self,
        tokenizer,
        segment: Callable | None = None,
        sentences: Callable = split_sentences,
        summaries: Summaries | None = None,
    ):
        if segment is not None and not isinstance(tokenizer, Tokenizer):
            raise ValueError(
                "segment needs a Tokenizer, whose words are encoded one by one. "
                f"Received: {type(tokenizer).__name__}. Tokenizer reads a "
                "tokenizer.json with WordPiece too."
            )
        self.tokenizer, self.segment, self.sentences = tokenizer, segment, sentences
        self.summaries = summaries
        self._end = Vocabulary.of(tokenizer).end
        self._pieces = _continuing(tokenizer)
        self._known = {}  # word -> ids

    def __call__(self, documents: list) -> tuple[np.ndarray, np.ndarray]:
        texts = [self._parts(one) for one in documents]
        flat = list(chain.from_iterable(texts))
        encode = self._encoded if self.segment is None else self._by_words
        ids, counts, begins = encode(flat)
        owner = np.repeat(np.arange(len(texts)), [len(one) for one in texts])
        real = counts > 0  # a sentence of control characters has no token
        counts, owner = counts[real], owner[real]
        flags = np.where(begins & ~self._pieces[ids], 0, CONTINUES).astype("uint8")
        first = np.cumsum(counts) - counts
        flags[first] = SENTENCE
        opens = first[np.diff(owner, prepend=-1) > 0]
        flags[opens] |= DOCUMENT
        places = np.append(opens[1:], len(ids)) if len(ids) else opens
        ids = np.insert(ids, places, self._end)
        flags = np.insert(flags, places, SPECIAL)
        if self.summaries is not None:
            flags = mark_summaries(ids, flags, *self.summaries)
        return ids, flags

    def _parts(self, document) -> list[str]:
        return self.sentences(document) if isinstance(document, str) else document

    def _encoded(self, texts: list[str]) -> tuple:
        """(ids (n,), tokens of each text, whether a token begins a word)."""
        ids, counts = self.tokenizer.encode_flat(texts)
        return ids, counts, np.ones(len(ids), bool)

    def _by_words(self, texts: list[str]) -> tuple:
        """As `_encoded`, where only the first token of a word begins one."""
        words = [self._words(text) for text in texts]
        if len(self._known) > _REMEMBERED:
            self._known = {}
        known = self._known
        new = list({word for row in words for word in row if word not in known})
        flat, lengths = self.tokenizer.encode_flat(new)
        parts = np.split(flat, np.cumsum(lengths)[:-1]) if new else []
        known.update((w, p.tolist()) for w, p in zip(new, parts, strict=True))
        sizes = [[len(known[word]) for word in row] for row in words]
        counts = np.array([sum(row) for row in sizes], "int64")
        found = chain.from_iterable(known[word] for row in words for word in row)
        ids = np.fromiter(found, "int32", int(counts.sum()))
        ends = np.cumsum(np.fromiter(chain.from_iterable(sizes), "int64"))
        begins = np.zeros(len(ids) + 1, bool)
        begins[ends] = begins[0] = True
        return ids, counts, begins[:-1]

    def _words(self, text: str) -> list[str]:
        """Words of the segmenter; those that the tokenizer takes for one are joined."""
        words = list(self.segment(text))
        if "".join(words) != text:
            raise ValueError(
                "segment must return the words of a text in order, with nothing left "
                f"out or added. Received {words!r:.200} for {text!r:.100}"
            )
        joined = []
        for word in filter(None, words):
            if joined and not (_parts_words(joined[-1][-1]) or _parts_words(word[0])):
                joined[-1] += word
            else:
                joined.append(word)
        return joined


def _parts_words(ch: str) -> bool:
    """Whether the tokenizer parts words at a character."""
    return is_cjk(ch) or is_space(ch) or is_punctuation(ch)


def _continuing(tokenizer) -> np.ndarray:
    """(V,) bool: whether a token is a "##" piece."""
    return np.array([token.startswith("##") for token in tokens_of(tokenizer)])
