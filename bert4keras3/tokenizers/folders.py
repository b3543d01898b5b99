"""What the files of a model's folder say about its tokenizer."""

import warnings
from pathlib import Path
from typing import NamedTuple

from bert4keras3.tokenizers.tokenizer_json import (
    read_json,
    read_wordpiece,
    special_tokens,
)
from bert4keras3.tokenizers.vocab import find_vocab, load_vocab
from bert4keras3.utils.assets import asset_path

# Families whose ids are not those of the .model in their folder: fairseq put tokens
# of its own before the pieces.
_SHIFTED = ("xlmroberta", "xlm-roberta", "camembert", "mbart", "barthez", "nllb")
_MODELS = (
    "spiece.model",
    "sentencepiece.bpe.model",
    "sentencepiece.model",
    "tokenizer.model",
)


class Settings(NamedTuple):
    """What a folder says beside its vocabulary.

    lower: do_lower_case, None = not said; specials: role -> token, with the roles
    "pad", "unk", "mask", "start", "end", "bos", "eos"; added: token -> id.
    """

    lower: bool | None = None
    specials: dict[str, str] = {}
    added: dict[str, int] = {}


def read_settings(folder: Path) -> Settings:
    """Read tokenizer_config.json, special_tokens_map.json and added_tokens.json."""
    lower, specials, added = None, {}, {}
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        if (folder / name).exists():
            values = read_json(folder / name)
            specials.update(special_tokens(values))
            lower = values.get("do_lower_case", lower)
            for i, token in (values.get("added_tokens_decoder") or {}).items():
                added[token["content"]] = int(i)
    if (folder / "added_tokens.json").exists():
        added.update(read_json(folder / "added_tokens.json"))
    return Settings(lower, specials, added)


def open_vocabulary(source) -> tuple[dict[str, int], Settings]:
    """Return the WordPiece vocabulary of a file or folder, and its settings.

    A vocab.txt given by its own name is taken alone, as bert4keras does.
    """
    path = find_vocab(source)
    whole = Path(asset_path(source, weights=False)).is_dir()
    if path.suffix != ".json":
        settings = read_settings(path.parent) if whole else Settings()
        token_dict = load_vocab(path)
        special = set(settings.specials.values())
        _report(path, [t for t in settings.added if t not in {*token_dict, *special}])
        return {**settings.added, **token_dict}, settings
    found, settings = read_wordpiece(path), read_settings(path.parent)
    _report(path, found.added)
    specials = dict(settings.specials)
    if found.unknown:
        specials["unk"] = found.unknown
    return found.token_dict, settings._replace(lower=found.lower, specials=specials)


def _report(path: Path, added: list[str]) -> None:
    if added:
        warnings.warn(
            f"the files of {path.parent} add the tokens {added[:10]} to the "
            "vocabulary. They have ids here, but text is not split at them; use "
            "HFTokenizer with tokenizer.json if it must be.",
            stacklevel=4,
        )


def find_sentencepiece(source) -> tuple[Path, Settings]:
    """Return the .model file of a file or folder, and the folder's settings."""
    path = Path(asset_path(source, weights=False))
    if not path.is_dir():
        if not path.exists():
            raise FileNotFoundError(
                f"no SentencePiece model at {path}. Pass a .model file or its folder."
            )
        return path, Settings()
    names = {found.name for found in path.glob("*.model")}
    known = [name for name in _MODELS if name in names] or sorted(names)
    if not names or (known[0] not in _MODELS and len(names) > 1):
        raise FileNotFoundError(
            f"{path} must hold one SentencePiece model ({', '.join(_MODELS)}). "
            f"Received {sorted(names) or 'no .model file'}; pass the file itself, or "
            "use HFTokenizer for a tokenizer.json, Tokenizer for a vocab.txt."
        )
    _refuse_shifted(path)
    return path / known[0], read_settings(path)


def _refuse_shifted(folder: Path) -> None:
    for name, key in (
        ("config.json", "model_type"),
        ("tokenizer_config.json", "tokenizer_class"),
    ):
        if not (folder / name).exists():
            continue
        kind = str(read_json(folder / name).get(key, ""))
        if kind.lower().startswith(_SHIFTED):
            raise ValueError(
                f"{folder / name} has {key}={kind!r}: the ids of such models are not "
                "those of their .model file. Use HFTokenizer with tokenizer.json."
            )
