"""BERT's tokenizer with bert4keras's tokens and ids."""

import unicodedata

from bert4keras3.tokenizers.base import TokenizerBase
from bert4keras3.tokenizers.batch import Rows, balanced_columns, joined
from bert4keras3.tokenizers.characters import (
    is_cjk,
    is_dropped,
    is_punctuation,
    is_space,
)
from bert4keras3.tokenizers.detokenize import join_tokens
from bert4keras3.tokenizers.fast import FastEncoder
from bert4keras3.tokenizers.vocab import load_vocab
from bert4keras3.utils.text import lowercase_and_normalize


class Tokenizer(TokenizerBase):
    """WordPiece over Chinese characters, punctuation and words.

    token_dict: vocab.txt, a folder that holds one, the name of an embedded model, or
    {token: id}; do_lower_case: lower-case and strip accents first; word_maxlen: longer
    words are not split; the rest as in TokenizerBase.
    A word the vocabulary cannot spell stays itself in `tokenize` (so that `rematch`
    finds it) and becomes the id of [UNK]. Special tokens written in a text are split
    like any other text.
    """

    def __init__(self, token_dict, do_lower_case=False, word_maxlen=200, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(token_dict, dict):
            token_dict = load_vocab(token_dict)
        self._do_lower_case = do_lower_case
        self._word_maxlen = word_maxlen
        self._token_dict = token_dict
        self._token_dict_inv = {i: token for token, i in token_dict.items()}
        self._vocab_size = len(token_dict)
        self._token_pad, self._token_unk, self._token_mask = "[PAD]", "[UNK]", "[MASK]"
        for role in ("pad", "unk", "mask", "start", "end"):
            token = getattr(self, f"_token_{role}")
            if token in token_dict:
                setattr(self, f"_token_{role}_id", token_dict[token])
        self._fast = None

    def token_to_id(self, token):
        """Return the id of a token, that of [UNK] for unknown ones."""
        found = self._token_dict.get(token)
        if found is not None:
            return found
        if not hasattr(self, "_token_unk_id"):
            raise ValueError(
                f"token {token!r} is not in the vocabulary, which has no "
                f"{self._token_unk!r} either. Set tokenizer._token_unk_id."
            )
        return self._token_unk_id

    def id_to_token(self, i):
        """Return the token of an id; KeyError for ids the vocabulary lacks."""
        return self._token_dict_inv[int(i)]

    def _tokenize(self, text, pre_tokenize=True):
        if self._do_lower_case:
            text = lowercase_and_normalize(text)
        if pre_tokenize and self._pre_tokenize is not None:
            tokens = []
            for word in self._pre_tokenize(text):
                known = word in self._token_dict
                tokens.extend([word] if known else self._tokenize(word, False))
            return tokens
        return [t for word in _words(text) for t in self._word_piece_tokenize(word)]

    def _word_piece_tokenize(self, word):
        """Greedy longest match from the left; an unspellable word stays whole."""
        if len(word) > self._word_maxlen:
            return [word]
        pieces, start = [], 0
        while start < len(word):
            mark = "##" if start else ""
            for end in range(len(word), start, -1):
                piece = mark + word[start:end]
                if piece in self._token_dict:
                    break
            else:
                return [word]
            pieces.append(piece)
            start = end
        return pieces

    # --- batches --------------------------------------------------------------

    def word_ids(self, word):
        """Ids of one normalized word."""
        return self.tokens_to_ids(self._word_piece_tokenize(word))

    def text_ids(self, text):
        """Ids of a text without start and end token, by the exact path."""
        return self.tokens_to_ids(self._translated(self._tokenize(text)))

    def _encode_rows(self, texts, seconds, maxlen, pattern, truncate_from):
        if not self._vectorisable(texts, seconds, truncate_from):
            return None
        start = (
            None if self._token_start is None else self.token_to_id(self._token_start)
        )
        end = None if self._token_end is None else self.token_to_id(self._token_end)
        extra = (start is not None) + (end is not None)
        skipped = int(start is not None and pattern == "S*E*E")
        if maxlen is not None and maxlen < (
            2 * extra if seconds is not None else extra
        ):
            return None
        left = truncate_from == "left"
        limit = None if maxlen is None or left else maxlen
        first = self._fast.encode(texts, limit)
        if seconds is None:
            if maxlen is not None:
                first = first.cut(maxlen - extra, left)
            ids, lengths = joined(_around(start, first, end))
            return Rows(ids, lengths, lengths)
        second = self._fast.encode(seconds, limit)
        if maxlen is not None:
            sizes = first.counts + extra, second.counts + extra
            kept = balanced_columns(*sizes, maxlen + skipped)
            if (kept[0] < extra).any() or (kept[1] < extra).any():
                return None
            first, second = (
                first.cut(kept[0] - extra, left),
                second.cut(kept[1] - extra, left),
            )
        parts = _around(start, first, end)
        parts += _around(None if skipped else start, second, end)
        ids, lengths = joined(parts)
        return Rows(ids, lengths, first.counts + extra)

    def _vectorisable(self, texts, seconds, truncate_from):
        hooks = (
            "_tokenize",
            "tokenize",
            "_word_piece_tokenize",
            "token_to_id",
            "tokens_to_ids",
            "encode",
            "_translated",
        )
        own = any(getattr(type(self), h) is not getattr(Tokenizer, h) for h in hooks)
        if own or self._pre_tokenize is not None or self._token_translate:
            return False
        if truncate_from not in ("left", "right") or not texts:
            return False
        if not all(isinstance(t, str) for t in (*texts, *(seconds or ()))):
            return False
        if self._fast is None:
            self._fast = FastEncoder(self)
        return True

    # --- back to text ---------------------------------------------------------

    @staticmethod
    def stem(token):
        """Return the token without a leading "##"."""
        return token[2:] if token[:2] == "##" else token

    @staticmethod
    def _is_special(token):
        return bool(token) and token[0] == "[" and token[-1] == "]"

    def decode(self, ids, tokens=None):
        """Return readable text of ids (or tokens): spaces only between words."""
        tokens = self.ids_to_tokens(ids) if tokens is None else tokens
        return join_tokens([t for t in tokens if not self._is_special(t)])

    def rematch(self, text, tokens):
        """Return, for every token, the positions of its characters in `text`.

        Special tokens have []. Raises ValueError for a token that is not in the text
        (after what stands before it).
        """
        normalized, mapping = self._normalized(text)
        matched, offset = [], 0
        for token in tokens:
            if self._is_special(token):
                matched.append([])
                continue
            stem = self.stem(self._token_translate_inv.get(token, token))
            start = normalized.find(stem, offset)
            if start < 0:
                raise ValueError(
                    f"token {token!r} is not in the text after position {offset}: "
                    "rematch needs the tokens that tokenize() gives for this text."
                )
            offset = start + len(stem)
            matched.append(mapping[start:offset])
        return matched

    def _normalized(self, text):
        """Normalized text and the position in `text` of each of its characters."""
        lowered = text.lower() if self._do_lower_case else text
        characters, mapping, place = [], [], 0
        for i, ch in enumerate(text):
            # Lower-casing may lengthen a character ("İ"), never merge two.
            size = len(ch.lower()) if self._do_lower_case else 1
            part = lowered[place : place + size]
            place += size
            if self._do_lower_case:
                part = unicodedata.normalize("NFD", part)
                part = "".join(c for c in part if unicodedata.category(c) != "Mn")
            kept = [c for c in part if not is_dropped(c)]
            characters.extend(kept)
            mapping.extend([i] * len(kept))
        return "".join(characters), mapping


def _words(text):
    """Words of a normalized text; CJK and punctuation characters stand alone."""
    spaced = []
    for ch in text:
        if is_punctuation(ch) or is_cjk(ch):
            spaced.append(f" {ch} ")
        elif is_space(ch):
            spaced.append(" ")
        elif not is_dropped(ch):
            spaced.append(ch)
    return "".join(spaced).split()


def _around(start, column, end):
    return [part for part in (start, column, end) if part is not None]
