"""Reading a WordPiece vocabulary out of a Hugging Face tokenizer.json.

Reference: https://huggingface.co/docs/tokenizers/components
"""

import json
from pathlib import Path
from typing import NamedTuple

_ROLES = {
    "pad_token": ("pad",),
    "unk_token": ("unk",),
    "mask_token": ("mask",),
    "bos_token": ("bos", "start"),
    "eos_token": ("eos", "end"),
    "cls_token": ("start",),
    "sep_token": ("end",),
}


class WordPieceFile(NamedTuple):
    """Vocabulary, lower-casing and unknown token of a tokenizer.json.

    added: tokens that are not special and that only the list of added tokens has.
    """

    token_dict: dict[str, int]
    lower: bool
    unknown: str | None
    added: list[str]


def read_json(path: Path) -> dict:
    """Return the object in a JSON file; raises ValueError if there is none."""
    try:
        values = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(
            f"{path} is not valid JSON ({error}). Download it again."
        ) from error
    if not isinstance(values, dict):
        raise ValueError(f"{path} must hold a JSON object. Received {type(values)}.")
    return values


def special_tokens(values: dict) -> dict[str, str]:
    """Roles ("pad", "unk", "start", ...) -> tokens, of a tokenizer_config.json."""
    found = {}
    for key, roles in _ROLES.items():
        token = values.get(key)
        if isinstance(token, dict):
            token = token.get("content")
        if isinstance(token, str) and token:
            found.update(dict.fromkeys(roles, token))
    return found


def read_wordpiece(path: Path) -> WordPieceFile:
    """Read a tokenizer.json of the kind of BERT.

    Raises ValueError if it is of another kind, naming the class to use.
    """
    values = read_json(path)
    model = values.get("model")
    if not isinstance(model, dict) or not isinstance(model.get("vocab"), (dict, list)):
        raise ValueError(
            f"{path} has no model with a vocabulary. Expected a tokenizer.json as the "
            "tokenizers package writes it, or a vocab.txt."
        )
    _check_kind(path, model, values)
    token_dict, added = dict(model["vocab"]), []
    for token in values.get("added_tokens") or ():
        if token["content"] not in token_dict and not token.get("special"):
            added.append(token["content"])
        token_dict.setdefault(token["content"], token["id"])
    lower = bool(values["normalizer"].get("lowercase"))
    return WordPieceFile(token_dict, lower, model.get("unk_token"), added)


def _check_kind(path: Path, model: dict, values: dict) -> None:
    """Raise ValueError where BERT's splitting would give other tokens."""
    prefix = model.get("continuing_subword_prefix")
    kind = model.get("type") or ("WordPiece" if prefix else "unknown")
    normalizer = values.get("normalizer") or {}
    splitter = (values.get("pre_tokenizer") or {}).get("type")
    accents, lower = normalizer.get("strip_accents"), normalizer.get("lowercase")
    wrong = None
    if kind != "WordPiece":
        wrong = f"a model of type {kind}"
    elif prefix != "##":
        wrong = f"continuing_subword_prefix={prefix!r}"
    elif normalizer.get("type") != "BertNormalizer":
        wrong = f"the normalizer {normalizer.get('type')}"
    elif splitter != "BertPreTokenizer":
        wrong = f"the pre_tokenizer {splitter}"
    elif accents is not None and bool(accents) != bool(lower):
        wrong = f"strip_accents={accents} with lowercase={lower}"
    else:
        for key in ("clean_text", "handle_chinese_chars"):
            if normalizer.get(key) is False:
                wrong = f"{key}=false"
    if wrong:
        raise ValueError(
            f"{path} has {wrong}; Tokenizer reads the WordPiece of BERT only (##, "
            "BertNormalizer, BertPreTokenizer). Use HFTokenizer for this file, or "
            "SpTokenizer if the folder holds a SentencePiece .model."
        )
