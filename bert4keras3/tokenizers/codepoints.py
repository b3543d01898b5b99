"""WordPiece ids of many texts at once, through a table of code points.

Most tokens of Chinese text are single characters, so a look-up of all code points in
one table gives most ids. What is left are runs of letters and digits; the few distinct
ones are split by the exact tokenizer and remembered.

C code points of a chunk of texts · E emissions: single characters and runs
"""

import unicodedata
from itertools import chain

import numpy as np

from bert4keras3.tokenizers.batch import Flat
from bert4keras3.tokenizers.characters import (
    is_cjk,
    is_dropped,
    is_punctuation,
    is_space,
)
from bert4keras3.utils.text import lowercase_and_normalize

# Kinds of code points; values >= 0 are the id of a character that is a token.
WORD, SPACE, DROPPED, EXACT, UNSEEN = -1, -2, -3, -4, -5
CHUNK = 1 << 18  # code points handled together, so that arrays stay in the cache
CHARS_PER_TOKEN = 8  # read at first for each token wanted of a long text
WORDS, WORD_SIZE = 1 << 18, 64  # bounds of the memory of runs


class CodePointEncoder:
    """Encode texts as `tokenizer._tokenize` and `tokens_to_ids` do, many at once.

    tokenizer: a Tokenizer without pre_tokenize.
    """

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer
        self.table = np.full(0x110000, UNSEEN, "int32")
        self.words = RunIds(tokenizer)

    def __call__(self, texts: list[str], limit: int | None = None) -> Flat:
        """Encode `texts`; with `limit`, ids after the first `limit` may be missing."""
        parts = [self._chunk(chunk, limit) for chunk in _chunks(texts, limit)]
        if not parts:
            return Flat(np.zeros(0, "int32"), np.zeros(0, "int64"))
        ids, counts = zip(*parts, strict=True)
        return Flat(np.concatenate(ids), np.concatenate(counts))

    def _chunk(self, texts: list[str], limit: int | None) -> Flat:
        if len(self.words) > WORDS:
            self.words.clear()
        if limit is None:
            return self._encode(texts)[0]
        size = limit * CHARS_PER_TOKEN
        heads = [text[:size] for text in texts]
        flat, last = self._encode(heads)
        cut = np.array([len(text) > size for text in texts])
        # All but the last emission of a head are what the whole text begins with.
        if (cut & (flat.counts - last < limit)).any():
            return self._encode(texts)[0]
        return flat

    def _encode(self, texts: list[str]) -> tuple[Flat, np.ndarray]:
        """Return the ids and, for each text, how many its last emission gave."""
        joined = "\n".join([*texts, ""])
        codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), "<u4")
        kinds = self._kinds(codes)
        ends = np.cumsum([len(text) + 1 for text in texts])  # (N,) after each "\n"
        self._isolate(kinds, ends)
        kept = kinds != DROPPED
        if not kept.all():
            ends = np.cumsum(kept)[ends - 1]
            codes, kinds = codes[kept], kinds[kept]
            joined = codes.tobytes().decode("utf-32-le", "surrogatepass")
        word = np.concatenate([[False], kinds == WORD, [False]])
        starts = np.flatnonzero(word[1:-1] & ~word[:-2])
        stops = np.flatnonzero(word[1:-1] & ~word[2:]) + 1
        runs = [
            self.words[joined[a:b]]
            for a, b in zip(starts.tolist(), stops.tolist(), strict=True)
        ]
        emitting = kinds >= 0
        emitting[starts] = True
        places = np.flatnonzero(emitting)  # (E,)
        values = kinds[places]
        return _collect(values, runs, np.searchsorted(places, ends))

    def _kinds(self, codes: np.ndarray) -> np.ndarray:
        """Kind of every code point; the table learns those it has not seen."""
        kinds = self.table[codes]
        unseen = kinds == UNSEEN
        if unseen.any():
            for code in np.unique(codes[unseen]).tolist():
                self.table[code] = self._kind(chr(code))
            kinds = self.table[codes]
        return kinds

    def _isolate(self, kinds: np.ndarray, ends: np.ndarray) -> None:
        """Turn each text that needs the exact tokenizer into one run."""
        exact = np.flatnonzero(kinds == EXACT)
        for row in np.unique(np.searchsorted(ends, exact, side="right")).tolist():
            kinds[ends[row - 1] if row else 0 : ends[row] - 1] = WORD

    def _kind(self, ch: str) -> int:
        """Classify a character by what lower-casing and decomposition make of it."""
        form = ch
        if self.tokenizer._do_lower_case:
            if _depends_on_context(ch):
                return EXACT
            form = lowercase_and_normalize(ch)
        kinds = {_class(c) for c in form}
        if not kinds:
            return DROPPED
        if len(kinds) > 1:
            return EXACT
        kind = kinds.pop()
        if kind is not None:
            return kind
        if len(form) > 1:
            return EXACT
        return self.words.token_id(form)


class RunIds(dict):
    """Run of characters -> tuple of ids, filled by the exact tokenizer on use."""

    def __init__(self, tokenizer):
        super().__init__()
        self.tokenizer = tokenizer

    def __missing__(self, run: str) -> tuple[int, ...]:
        tokenizer = self.tokenizer
        tokens = tokenizer._translated(tokenizer._tokenize(run))
        ids = tuple(tokenizer.tokens_to_ids(tokens))
        if len(run) <= WORD_SIZE:
            self[run] = ids
        return ids

    def token_id(self, token: str) -> int:
        """Id of a single character that is a word of its own."""
        return self.tokenizer.token_to_id(self.tokenizer._translated([token])[0])


class WordIds(RunIds):
    """Word of pre_tokenize -> tuple of ids; a word of the vocabulary stays whole."""

    def __missing__(self, word: str) -> tuple[int, ...]:
        tokenizer = self.tokenizer
        known = word in tokenizer._token_dict
        tokens = [word] if known else tokenizer._tokenize(word, False)
        ids = tuple(tokenizer.tokens_to_ids(tokenizer._translated(tokens)))
        if len(word) <= WORD_SIZE and len(self) < WORDS:
            self[word] = ids
        return ids


def _collect(values, runs, row_ends) -> tuple[Flat, np.ndarray]:
    """Put ids of characters and runs in order.

    values: (E,) ids, negative where a run stands; runs: their ids, in order;
    row_ends: (N,) number of emissions up to the end of each text.
    """
    single = values >= 0
    counts = np.ones(len(values), "int64")
    counts[~single] = np.fromiter(map(len, runs), "int64", len(runs))
    totals = np.concatenate([[0], counts.cumsum()])  # (E + 1,)
    ids = np.empty(totals[-1], "int32")
    ids[totals[:-1][single]] = values[single]
    from_runs = int(totals[-1] - single.sum())
    flat = np.fromiter(chain.from_iterable(runs), "int32", from_runs)
    ids[np.repeat(~single, counts)] = flat
    row_starts = np.concatenate([[0], row_ends[:-1]])
    row_counts = totals[row_ends] - totals[row_starts]
    # An empty text takes a count of its neighbour here; it is never cut, so unused.
    last = totals[row_ends] - totals[np.maximum(row_ends - 1, 0)]
    return Flat(ids, row_counts), last


def _class(ch: str) -> int | None:
    """Class of a normalised character; None = a word of its own."""
    if is_punctuation(ch) or is_cjk(ch):
        return None
    if is_space(ch):
        return SPACE
    if is_dropped(ch):
        return DROPPED
    # str.split also splits at line and paragraph separators.
    return SPACE if ch.isspace() else WORD


def _depends_on_context(ch: str) -> bool:
    """Tell whether normalising `ch` depends on its neighbours.

    So do capital sigma, whose lower case at the end of a word is another letter, and
    marks that are kept and may swap places in canonical order.
    """
    if ch == "\u03a3":
        return True
    return any(
        unicodedata.combining(c) and unicodedata.category(c) != "Mn"
        for c in unicodedata.normalize("NFD", ch.lower())
    )


def _chunks(texts: list[str], limit: int | None):
    """Split texts into lists of about CHUNK characters to read."""
    most = None if limit is None else limit * CHARS_PER_TOKEN
    chunk, size = [], 0
    for text in texts:
        chunk.append(text)
        size += len(text) if most is None else min(len(text), most)
        if size >= CHUNK:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk
