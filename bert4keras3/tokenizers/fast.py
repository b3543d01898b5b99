"""Many texts to ids with a code-point table: the batch path of `Tokenizer`.

A Chinese character is a token of its own, so one vector look-up turns most of a batch
into ids. What is left are runs of letters and digits: each distinct run goes through
the exact WordPiece path once and is remembered. Texts holding a character whose
lower-casing depends on its neighbours take the exact path as a whole.
"""

from itertools import chain

import numpy as np

from bert4keras3.tokenizers.batch import Column
from bert4keras3.tokenizers.characters import (
    is_cjk,
    is_dropped,
    is_punctuation,
    is_space,
)
from bert4keras3.utils.text import lowercase_and_normalize

# What a table entry says when it is not the id of a token.
UNSEEN, DROP, SPACE, WORD, COMPLEX = -1, -2, -3, -4, -5
_CODES = 0x110000
_CACHE_LIMIT = 1_000_000  # distinct words remembered


class FastEncoder:
    """Vectorised form of one tokenizer's `_tokenize` + `tokens_to_ids`."""

    def __init__(self, tokenizer):
        self._tokenizer = tokenizer
        self._lower = tokenizer._do_lower_case
        self._table = np.full(_CODES, UNSEEN, "int32")
        self._normal = np.arange(_CODES, dtype="<u4")
        self._words = {}

    def encode(self, texts, limit=None):
        """Return the Column of `texts`; limit: tokens needed from each text's start.

        With a limit, long texts are read only as far as it may matter.
        """
        texts, doubtful = _shortened(texts, limit)
        lengths = np.fromiter(map(len, texts), "int64", len(texts))
        codes = np.frombuffer(
            "".join(texts).encode("utf-32-le", "surrogatepass"), "<u4"
        )
        values = self._values(codes)
        rows = np.repeat(np.arange(len(texts), dtype="int32"), lengths)
        slow = np.zeros(len(texts), bool)
        slow[rows[values == COMPLEX]] = True
        keep = values != DROP
        if slow.any():
            keep &= ~slow[rows]
        if not keep.all():
            codes, values, rows = codes[keep], values[keep], rows[keep]
        column = self._tokens(codes, values, rows, len(texts))
        for row, needed in doubtful:
            slow[row] |= column.counts[row] < needed
        return self._with_slow(column, texts, slow, doubtful) if slow.any() else column

    def _values(self, codes):
        values = self._table[codes]
        unseen = values == UNSEEN
        if unseen.any():
            for code in np.unique(codes[unseen]).tolist():
                self._classify(code)
            values = self._table[codes]
        return values

    def _classify(self, code):
        """Fill the table entry of one code point."""
        ch = chr(code)
        text = lowercase_and_normalize(ch) if self._lower else ch
        if len(text) > 1 or (self._lower and _context_dependent(ch, text)):
            self._table[code] = COMPLEX
        elif not text:
            self._table[code] = DROP
        elif is_punctuation(text) or is_cjk(text):
            self._table[code] = self._tokenizer.token_to_id(text)
        elif is_space(text):
            self._table[code] = SPACE
        elif is_dropped(text):
            self._table[code] = DROP
        elif text.isspace():  # line separators, where str.split() parts words too
            self._table[code] = SPACE
        else:
            self._table[code] = WORD
            self._normal[code] = ord(text)

    def _tokens(self, codes, values, rows, count):
        """Place single characters and the pieces of words into one flat array."""
        word = values == WORD
        starts, ends = _runs(word, rows)
        counts = (values >= 0).astype("int64")
        pieces = self._pieces(self._normal[codes], starts, ends)
        sizes = np.fromiter(map(len, pieces), "int64", len(pieces))
        counts[starts] = sizes
        places = np.cumsum(counts) - counts
        flat = np.empty(int(counts.sum()), "int32")
        single = values >= 0
        flat[places[single]] = values[single]
        inside = np.arange(int(sizes.sum())) - np.repeat(
            np.cumsum(sizes) - sizes, sizes
        )
        flat[np.repeat(places[starts], sizes) + inside] = np.fromiter(
            chain.from_iterable(pieces), "int32", int(sizes.sum())
        )
        total = np.bincount(rows, weights=counts, minlength=count)
        return Column(flat, total.astype("int64"))

    def _pieces(self, codes, starts, ends):
        """Ids of every word, each distinct one tokenized once."""
        text = codes.tobytes().decode("utf-32-le", "surrogatepass")
        known = self._words
        if len(known) > _CACHE_LIMIT:
            known.clear()
        spans = zip(starts.tolist(), ends.tolist(), strict=True)
        words = [text[start:end] for start, end in spans]
        for word in set(words).difference(known):
            known[word] = tuple(self._tokenizer.word_ids(word))
        return [known[word] for word in words]

    def _with_slow(self, column, texts, slow, doubtful):
        """Replace the rows marked `slow` by the exact path's tokens."""
        originals = {row: text for (row, _), text in doubtful.items()}
        exact = {
            int(row): self._tokenizer.text_ids(originals.get(int(row), texts[row]))
            for row in np.flatnonzero(slow)
        }
        parts = np.split(column.ids, np.cumsum(column.counts)[:-1])
        parts = [exact.get(row, part) for row, part in enumerate(parts)]
        flat = np.fromiter(chain.from_iterable(parts), "int32")
        return Column(flat, np.fromiter(map(len, parts), "int64", len(parts)))


def _shortened(texts, limit):
    """Cut texts far beyond the limit; remember which, to check they gave enough.

    A cut inside a word spoils that word's tokens only, and a word longer than
    the margin is one the check sends to the exact path.
    """
    if limit is None:
        return texts, {}
    reach = 3 * limit + 64
    cut = {(row, limit): text for row, text in enumerate(texts) if len(text) > reach}
    if not cut:
        return texts, {}
    texts = list(texts)
    for row, _ in cut:
        head = texts[row][:reach]
        # End at a character that surely ends a word, so that no word is cut.
        end = next((i for i in range(reach, 0, -1) if is_cjk(head[i - 1])), 0)
        texts[row] = head[:end]
    return texts, cut


def _context_dependent(ch, text):
    """Whether lower-casing or decomposing `ch` depends on its neighbours."""
    import unicodedata

    return ch == "Σ" or unicodedata.combining(text[:1] or ch) != 0 and bool(text)


def _runs(word, rows):
    """Starts and ends of the runs of True within each row."""
    if not len(word):
        return np.zeros(0, "int64"), np.zeros(0, "int64")
    edge = np.ones(len(word), bool)
    edge[1:] = (rows[1:] != rows[:-1]) | (word[1:] != word[:-1])
    bounds = np.append(np.flatnonzero(edge), len(word))
    starts = bounds[:-1]
    chosen = word[starts]
    return starts[chosen], bounds[1:][chosen]
