"""HFTokenizer: any tokenizer.json, through the package tokenizers."""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from bert4keras3.tokenizers.base import TokenizerBase
from bert4keras3.tokenizers.batch import Flat, flatten
from bert4keras3.tokenizers.folders import read_settings
from bert4keras3.tokenizers.spans import readable, rematch_around, trimmed
from bert4keras3.tokenizers.tokenizer_json import read_json
from bert4keras3.utils.assets import asset_path

# Methods that decide the ids of a text; overriding one takes the slower exact path.
_SPLITTING = (
    "encode",
    "tokenize",
    "_tokenize",
    "_translated",
    "token_to_id",
    "tokens_to_ids",
)
FROM_FILE = "from file"


class HFTokenizer(TokenizerBase):
    """Tokenizer of a tokenizer.json: BPE of GPT-2, Qwen, Llama, or any other model.

    path: tokenizer.json, its folder, "hf://owner/name" or "modelscope://owner/name".
    token_start, token_end: tokens put around every text, None = none; by default those
        that the file puts around a single text.
    token_translate: dict of token -> token used in its place.
    Special tokens written in a text, such as <|im_start|>, become their ids. Where no
    padding token is named, the end-of-text token is used: `_token_pad_id`. Tokens of
    the file's beginning and end of text: `_token_bos`, `_token_eos`, with `_id`.
    Reference: https://huggingface.co/docs/tokenizers
    """

    def __init__(
        self,
        path: str | PathLike,
        token_start: str | None = FROM_FILE,
        token_end: str | None = FROM_FILE,
        token_translate: dict[str, str] | None = None,
    ):
        self.backend, padding, folder = _open(path)
        start, end = _around(self.backend)
        start = start if token_start == FROM_FILE else token_start
        end = end if token_end == FROM_FILE else token_end
        super().__init__(start, end, None, token_translate)
        specials = dict(read_settings(folder).specials)
        named = (specials.get("pad"), padding, "<pad>", "[PAD]", specials.get("eos"))
        known = self.backend.token_to_id
        specials["pad"] = next((t for t in named if t and known(t) is not None), None)
        self._token_bos, self._token_eos = specials.get("bos"), specials.get("eos")
        for role in ("pad", "unk", "mask"):
            setattr(self, f"_token_{role}", specials.get(role))
        self._vocab_size = max(self.backend.get_vocab().values(), default=-1) + 1
        for role in ("pad", "unk", "mask", "start", "end", "bos", "eos"):
            token = getattr(self, f"_token_{role}")
            i = None if token is None else self.backend.token_to_id(token)
            if i is not None:
                setattr(self, f"_token_{role}_id", i)
            elif role in ("start", "end") and token is not None:
                raise ValueError(
                    f"token_{role}={token!r} is not in the vocabulary of {path}. Pass "
                    "a token that it has, or None."
                )

    def token_to_id(self, token: str) -> int:
        """Return the id of a token, or that of the unknown token.

        Raises KeyError if the vocabulary has neither.
        """
        i = self.backend.token_to_id(token)
        if i is None:
            i = getattr(self, "_token_unk_id", None)
        if i is None:
            raise KeyError(
                f"token {token!r} is not in the vocabulary, which has no unknown "
                "token. Pass text to encode, or tokens that tokenize returned."
            )
        return i

    def id_to_token(self, i: int) -> str:
        """Return the token of an id; raises KeyError if there is none."""
        token = self.backend.id_to_token(int(i))
        if token is None:
            raise KeyError(
                f"the vocabulary has no token with id {i}; ids go up to "
                f"{self._vocab_size - 1}. Check that model and tokenizer match."
            )
        return token

    def decode(self, ids, tokens: Sequence[str] | None = None) -> str:
        """Return the text of ids (or of `tokens`), without special tokens.

        ids: list or array (T,); ids beyond the vocabulary have no text.
        """
        if tokens is None:
            known = (int(i) for i in ids if self.backend.id_to_token(int(i)))
            tokens = [self.backend.id_to_token(i) for i in known]
        tokens = [self._token_translate_inv.get(token) or token for token in tokens]
        return self.backend.decode(self.tokens_to_ids(tokens))

    def _tokenize(self, text: str) -> list[str]:
        return self.backend.encode(readable(text), add_special_tokens=False).tokens

    def _is_plain(self) -> bool:
        return self._keeps(HFTokenizer, _SPLITTING)

    def _encode_flat(self, texts: list[str], limit: int | None) -> Flat:
        """Encode all texts in one call of the library."""
        texts = [readable(text) for text in texts]
        rows = self.backend.encode_batch_fast(texts, add_special_tokens=False)
        if not self._token_translate:
            return flatten([row.ids for row in rows])
        known = self.backend.token_to_id
        pairs = self._token_translate.items()
        table = {known(a): self.token_to_id(b or a) for a, b in pairs}
        return flatten([[table.get(i, i) for i in row.ids] for row in rows])

    def rematch(self, text: str, tokens: Sequence[str]) -> list[list[int]]:
        """Return for every token the positions of its characters in `text`.

        Start and end token have none. Tokens that share a character all have it;
        spaces around a token are left out. Raises ValueError if the tokens are not of
        `text`.
        """
        found = self.backend.encode(readable(text), add_special_tokens=False)
        mapping = [trimmed(text, start, end) for start, end in found.offsets]
        return rematch_around(self, text, tokens, found.tokens, mapping)

    def _is_special(self, i: int) -> bool:
        """Tell whether an id is of a special token."""
        added = self.backend.get_added_tokens_decoder().get(int(i))
        return added is not None and added.special


def _open(path):
    """Return the backend of a file or folder, its padding token, and the folder."""
    path = Path(asset_path(path, weights=False))
    if path.is_dir():
        path = path / "tokenizer.json"
    if not path.exists():
        names = sorted(p.name for p in path.parent.glob("*") if p.is_file())[:20]
        raise FileNotFoundError(
            f"no tokenizer.json at {path}; the folder holds {names}. Use Tokenizer for "
            "a vocab.txt and SpTokenizer for a .model file; for vocab.json with "
            "merges.txt, download or save the tokenizer.json of the model."
        )
    # Imported here: WordPiece needs no compiled package.
    from tokenizers import Tokenizer as Backend

    values = read_json(path)
    # The package raises bare Exception for a bad file, so its form is checked first.
    if not {"model", "added_tokens"} <= set(values):
        raise ValueError(
            f"{path} is not a tokenizer.json: it has no model or no added_tokens."
        )
    backend = Backend.from_file(str(path))
    # The file may cut and pad texts, which encode and encode_batch do themselves.
    backend.no_truncation()
    backend.no_padding()
    return backend, (values.get("padding") or {}).get("pad_token"), path.parent


def _around(backend) -> tuple[str | None, str | None]:
    """The tokens that the file puts before and after a text."""
    found = backend.encode("a")
    marks = found.special_tokens_mask
    inner = [i for i, mark in enumerate(marks) if not mark] or [0]
    before, after = found.tokens[: inner[0]], found.tokens[inner[-1] + 1 :]
    return (before[-1] if before else None), (after[0] if after else None)
