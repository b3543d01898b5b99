"""Tokenizer: BERT's WordPiece with bert4keras's ids and surface."""

from collections.abc import Callable, Sequence
from os import PathLike

from bert4keras3.tokenizers import characters
from bert4keras3.tokenizers.base import TokenizerBase
from bert4keras3.tokenizers.batch import Flat, flatten
from bert4keras3.tokenizers.codepoints import CodePointEncoder, WordIds
from bert4keras3.tokenizers.decoding import join_tokens, normalize_with_origins
from bert4keras3.tokenizers.folders import Settings, open_vocabulary
from bert4keras3.tokenizers.vocab import is_redundant
from bert4keras3.utils.text import lowercase_and_normalize


class Tokenizer(TokenizerBase):
    """BERT's WordPiece tokenizer.

    token_dict: dict of token -> id; path of a vocabulary file or of a tokenizer.json;
        folder with one of them, whose tokenizer_config.json and added tokens count
        too; name of a bundled model; "hf://owner/name" or "modelscope://owner/name".
    do_lower_case: lower-case the text and strip accents; None = as the folder or the
        tokenizer.json says, else no.
    word_maxlen: longer words are not split and become the unknown token.
    The other arguments are those of `TokenizerBase`. A special token that the
    vocabulary lacks is the one that the folder's files name in its place.

    The vocabulary is read once: after editing `_token_dict` in place call
    `clear_cache()` before the next `encode_batch`.
    """

    def __init__(
        self,
        token_dict: dict[str, int] | str | PathLike,
        do_lower_case: bool | None = None,
        word_maxlen: int = 200,
        token_start: str | None = "[CLS]",
        token_end: str | None = "[SEP]",
        pre_tokenize: Callable[[str], list[str]] | None = None,
        token_translate: dict[str, str] | None = None,
    ):
        super().__init__(token_start, token_end, pre_tokenize, token_translate)
        if isinstance(token_dict, dict):
            settings = Settings()
        else:
            token_dict, settings = open_vocabulary(token_dict)
        if not token_dict:
            raise ValueError("token_dict is empty. Pass a dict of token -> id.")
        if do_lower_case is None:
            do_lower_case = bool(settings.lower)
        self._do_lower_case = do_lower_case
        self._word_maxlen = word_maxlen
        self._token_dict = token_dict
        self._token_dict_inv = {i: token for token, i in token_dict.items()}
        # A repeated line leaves a gap, so the number of tokens would be too small.
        self._vocab_size = max(token_dict.values()) + 1
        for role in ("pad", "unk", "mask", "start", "end"):
            token = getattr(self, f"_token_{role}")
            if token is not None and token not in token_dict:
                token = settings.specials.get(role, token)
                setattr(self, f"_token_{role}", token)
            if token in token_dict:
                setattr(self, f"_token_{role}_id", token_dict[token])
        self.clear_cache()

    def clear_cache(self) -> None:
        """Forget what is remembered of the vocabulary and of characters."""
        self._spacing = _Spacing(self)
        self._encoder, self._encoder_state = None, None

    def token_to_id(self, token: str) -> int:
        """Return the id of a token, or that of the unknown token.

        Raises KeyError if the vocabulary has neither.
        """
        i = self._token_dict.get(token)
        if i is not None:
            return i
        unknown = getattr(self, "_token_unk_id", None)
        if unknown is None:
            raise KeyError(
                f"token {token!r} is not in the vocabulary, which has no "
                f"{self._token_unk!r} either. Set tokenizer._token_unk_id."
            )
        return unknown

    def id_to_token(self, i: int) -> str:
        """Return the token of an id; raises KeyError if there is none."""
        try:
            return self._token_dict_inv[i]
        except KeyError:
            raise KeyError(
                f"the vocabulary has no token with id {i}; ids go up to "
                f"{self._vocab_size - 1}. Check that model and vocabulary match."
            ) from None

    def decode(self, ids, tokens: Sequence[str] | None = None) -> str:
        """Return readable text of ids (or of `tokens`), without special tokens."""
        tokens = self.ids_to_tokens(ids) if tokens is None else tokens
        return join_tokens([t for t in tokens if not self._is_special(t)])

    def _tokenize(self, text: str, pre_tokenize: bool = True) -> list[str]:
        """Split a text into tokens; words that cannot be split stay themselves."""
        if self._do_lower_case:
            text = lowercase_and_normalize(text)
        if pre_tokenize and self._pre_tokenize is not None:
            tokens = []
            for word in self._pre_tokenize(text):
                if word in self._token_dict:
                    tokens.append(word)
                else:
                    tokens += self._tokenize(word, False)
            return tokens
        tokens = []
        for word in text.translate(self._spacing).split():
            tokens += self._word_piece_tokenize(word)
        return tokens

    def _word_piece_tokenize(self, word: str) -> list[str]:
        """Split a word into the longest pieces, or return it whole if that fails."""
        if len(word) > self._word_maxlen:
            return [word]
        tokens, start = [], 0
        while start < len(word):
            prefix = "##" if start else ""
            for end in range(len(word), start, -1):
                piece = prefix + word[start:end]
                if piece in self._token_dict:
                    break
            else:
                return [word]
            tokens.append(piece)
            start = end
        return tokens

    def rematch(self, text: str, tokens: Sequence[str]) -> list[list[int]]:
        """Return for every token the positions of its characters in `text`.

        Special tokens have none. Raises ValueError if a token is not found.
        """
        searched, origins = normalize_with_origins(text, self._do_lower_case)
        mapping, place = [], 0
        for number, token in enumerate(tokens):
            if self._is_special(token) or self._is_edge(number, token, len(tokens)):
                mapping.append([])
                continue
            forms = (token, self._token_translate_inv.get(token, token))
            found = [
                (start, start + len(form))
                for form in map(self.stem, forms)
                if (start := searched.find(form, place)) >= 0
            ]
            if not found:
                raise ValueError(
                    f"token {number} ({token!r}) is not in the text after position "
                    f"{origins[place - 1] if place else 0}. rematch needs the tokens "
                    "of this very text, from a tokenizer whose pre_tokenize does not "
                    "change it."
                )
            start, place = min(found)
            mapping.append(origins[start:place])
        return mapping

    def _is_edge(self, number: int, token: str, count: int) -> bool:
        """Tell whether a token is the start or end token at its place."""
        return (number == 0 and token == self._token_start) or (
            number == count - 1 and token == self._token_end
        )

    def _encode_flat(self, texts: list[str], limit: int | None) -> Flat:
        """Encode through code points, or through the words of pre_tokenize."""
        if self._pre_tokenize is None:
            return self._current_encoder()(texts, limit)
        lower = lowercase_and_normalize if self._do_lower_case else str
        ids = WordIds(self)
        words = (self._pre_tokenize(lower(text)) for text in texts)
        return flatten([[i for word in row for i in ids[word]] for row in words])

    def _current_encoder(self) -> CodePointEncoder:
        """The encoder for the current settings, which users may assign."""
        state = (
            id(self._token_dict),
            len(self._token_dict),
            getattr(self, "_token_unk_id", None),
            self._do_lower_case,
            self._word_maxlen,
            dict(self._token_translate),
        )
        if self._encoder_state != state:
            self._encoder, self._encoder_state = CodePointEncoder(self), state
        return self._encoder

    def _is_plain(self) -> bool:
        """Tell whether no subclass or instance changes how text is split."""
        return self._keeps(Tokenizer, _SPLITTING)

    @staticmethod
    def stem(token: str) -> str:
        """Return a token without its leading '##'."""
        return token.removeprefix("##")

    @staticmethod
    def _is_special(token: str) -> bool:
        return token.startswith("[") and token.endswith("]")

    @staticmethod
    def _cjk_punctuation() -> str:
        return characters.CJK_PUNCTUATION

    _is_space = staticmethod(characters.is_space)
    _is_punctuation = staticmethod(characters.is_punctuation)
    _is_cjk_character = staticmethod(characters.is_cjk)
    _is_control = staticmethod(characters.is_control)
    _is_redundant = staticmethod(is_redundant)


# Methods that decide the ids of a text; overriding one takes the slower exact path.
_SPLITTING = (
    "encode",
    "tokenize",
    "_tokenize",
    "_translated",
    "_word_piece_tokenize",
    "token_to_id",
    "tokens_to_ids",
    "_is_space",
    "_is_punctuation",
    "_is_cjk_character",
    "_is_control",
)


class _Spacing(dict):
    """Table for str.translate that isolates, drops or keeps characters, on use."""

    def __init__(self, tokenizer: Tokenizer):
        super().__init__()
        self.tokenizer = tokenizer

    def __missing__(self, code: int) -> str:
        ch, tokenizer = chr(code), self.tokenizer
        if tokenizer._is_punctuation(ch) or tokenizer._is_cjk_character(ch):
            form = f" {ch} "
        elif tokenizer._is_space(ch):
            form = " "
        elif code in (0, 0xFFFD) or tokenizer._is_control(ch):
            form = ""
        else:
            form = ch
        self[code] = form
        return form
