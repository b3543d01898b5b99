"""SpTokenizer: SentencePiece models (T5, ALBERT, CPM) with bert4keras's surface."""

from collections.abc import Callable, Sequence
from importlib import import_module
from os import PathLike

import numpy as np

from bert4keras3.tokenizers.base import TokenizerBase
from bert4keras3.tokenizers.batch import Flat, flatten
from bert4keras3.tokenizers.folders import find_sentencepiece
from bert4keras3.tokenizers.spans import (
    join_words,
    readable,
    rematch_around,
    trimmed,
)

# Methods that decide the ids of a text; overriding one takes the slower exact path.
_SPLITTING = (
    "encode",
    "tokenize",
    "_tokenize",
    "_prepared",
    "_translated",
    "token_to_id",
    "tokens_to_ids",
)


class SpTokenizer(TokenizerBase):
    """Tokenizer of a SentencePiece model; needs the package sentencepiece.

    sp_model_path: .model file, its folder, "hf://owner/name" or
        "modelscope://owner/name".
    token_start, token_end: say them, for the defaults are those of BERT: T5 has
        token_start=None, token_end="</s>".
    pre_tokenize: text -> words, which are joined by spaces.
    The other arguments are those of `TokenizerBase`.
    Reference: https://github.com/google/sentencepiece
    """

    def __init__(
        self,
        sp_model_path: str | PathLike,
        token_start: str | None = "[CLS]",
        token_end: str | None = "[SEP]",
        pre_tokenize: Callable[[str], list[str]] | None = None,
        token_translate: dict[str, str] | None = None,
    ):
        super().__init__(token_start, token_end, pre_tokenize, token_translate)
        path, settings = find_sentencepiece(sp_model_path)
        self.sp_model = _load(path)
        self._vocab_size = self.sp_model.get_piece_size()
        self._unknown = self.sp_model.unk_id()
        self._token_unk = self.sp_model.id_to_piece(self._unknown)
        self._token_pad = self._find_pad(settings.specials.get("pad"))
        for role in ("pad", "unk", "mask", "start", "end"):
            token = getattr(self, f"_token_{role}")
            if token is not None and (role != "pad" or self._has(token)):
                setattr(self, f"_token_{role}_id", self.token_to_id(token))

    def _find_pad(self, named: str | None) -> str:
        """Padding token of the model, of the folder's files, or by its usual name."""
        if self.sp_model.pad_id() >= 0:
            return self.sp_model.id_to_piece(self.sp_model.pad_id())
        for token in (named, "<pad>", self._token_pad):
            if token is not None and self._has(token):
                return token
        return self._token_pad

    def _has(self, token: str) -> bool:
        return token == self._token_unk or self.token_to_id(token) != self._unknown

    def token_to_id(self, token: str) -> int:
        """Return the id of a piece, or that of the unknown piece."""
        return self.sp_model.piece_to_id(readable(token))

    def id_to_token(self, i: int) -> str:
        """Return the piece of an id; "" if the id is beyond the vocabulary."""
        return self.sp_model.id_to_piece(int(i)) if i < self._vocab_size else ""

    def decode(self, ids, tokens: Sequence[str] | None = None) -> str:
        """Return the text of ids (or of `tokens`); ids may be an array (T,).

        Control pieces such as </s> have no text, the unknown piece is " ⁇ ".
        """
        tokens = self.ids_to_tokens(ids) if tokens is None else tokens
        return self.sp_model.decode_pieces(
            [self._token_translate_inv.get(token) or token for token in tokens]
        )

    def _prepared(self, text: str) -> str:
        """The text that the model splits."""
        text = readable(text)
        if self._pre_tokenize is None:
            return text
        return " ".join(self._pre_tokenize(text))

    def _tokenize(self, text: str) -> list[str]:
        return self.sp_model.encode(self._prepared(text), out_type=str)

    def _is_plain(self) -> bool:
        return self._keeps(SpTokenizer, _SPLITTING)

    def _encode_flat(self, texts: list[str], limit: int | None) -> Flat:
        """Encode all texts in one call of the library."""
        rows = self.sp_model.encode(list(map(self._prepared, texts)), out_type=int)
        exact = {}
        for number, row in enumerate(rows):
            # An unknown stretch of text may be the name of a control piece, whose id
            # it has in `encode`, or be translated.
            if self._unknown in row:
                tokens = self._translated(self._tokenize(texts[number]))
                exact[number] = self.tokens_to_ids(tokens)
        if self._token_translate:
            table = self._translation()
            rows = [table[row].tolist() for row in rows]
        return flatten([exact.get(number, row) for number, row in enumerate(rows)])

    def _translation(self) -> np.ndarray:
        """Id of a piece -> id after token_translate, (V,)."""
        pieces = [self.id_to_token(i) for i in range(self._vocab_size)]
        table = np.arange(self._vocab_size)
        for i, piece in enumerate(pieces):
            if piece in self._token_translate:
                table[i] = self.token_to_id(self._translated([piece])[0])
        return table

    def rematch(self, text: str, tokens: Sequence[str]) -> list[list[int]]:
        """Return for every token the positions of its characters in `text`.

        Start and end token have none, nor has the space put before a text. Spaces
        around a token are left out. Raises ValueError if the tokens are not of `text`.
        """
        return rematch_around(self, text, tokens, *self._spans(text))

    def _spans(self, text: str) -> tuple[list[str], list[list[int]]]:
        """Pieces of a text and the positions of their characters."""
        read = self._prepared(text)
        places = range(len(text))
        if self._pre_tokenize is not None:
            read, places = join_words(text, self._pre_tokenize(readable(text)))
        normal, origins = self.sp_model.normalize(read, with_offsets=True)
        pieces = self.sp_model.encode(read, out_type=str)
        mapping = []
        for start, end in self._extents(pieces, normal):
            low, high = origins[start], origins[end]
            if low == high and normal[start:end].strip("\u2581"):
                # One character became several pieces: each of them covers it.
                high = low + 1
            span = trimmed(read, low, high)
            mapping.append([places[i] for i in span if places[i] >= 0])
        return pieces, mapping

    def _extents(self, pieces: list[str], normal: str):
        """Yield start and end (open) of every piece in the normalised text."""
        place = used = 0
        for piece in pieces:
            if self.sp_model.is_byte(self.token_to_id(piece)):
                yield place, place + 1
                used += 1
                if used == len(normal[place].encode()):
                    place, used = place + 1, 0
            else:
                yield place, place + len(piece)
                place += len(piece)

    def _is_special(self, i: int) -> bool:
        """Tell whether an id is of a control, unknown or unused piece."""
        model = self.sp_model
        return model.is_control(i) or model.is_unknown(i) or model.is_unused(i)

    def _is_decodable(self, i: int) -> bool:
        """Tell whether an id is of a piece that stands for text."""
        return i < self._vocab_size and not self._is_special(i)


def _load(path):
    try:
        library = import_module("sentencepiece")
    except ImportError as error:
        raise ImportError(
            "SpTokenizer needs the package sentencepiece: pip install "
            "'sentencepiece>=0.2'. "
            "If the model's folder has a tokenizer.json, HFTokenizer reads it without."
        ) from error
    try:
        return library.SentencePieceProcessor(model_file=str(path))
    except (RuntimeError, OSError) as error:
        raise ValueError(
            f"{path} is not a SentencePiece model ({error}). Pass the .model file; for "
            "a vocab.txt use Tokenizer."
        ) from error
