"""Reading, reducing and writing vocabulary files, one token a line."""

import warnings
from collections.abc import Sequence
from pathlib import Path

from bert4keras3.tokenizers.characters import is_cjk, is_punctuation
from bert4keras3.tokenizers.tokenizer_json import read_wordpiece
from bert4keras3.utils.assets import asset_path


def find_vocab(path) -> Path:
    """Return the vocabulary file of a path: the file, or the one in a folder.

    A folder holds vocab.txt or tokenizer.json. A name that is no path stands for a
    model bundled with the package, or for a remote one ("hf://owner/name").
    """
    path = Path(asset_path(path, weights=False))
    if path.is_dir():
        for name in ("vocab.txt", "tokenizer.json"):
            if (path / name).exists():
                return path / name
    if path.is_dir() or not path.exists():
        raise FileNotFoundError(
            f"no vocabulary at {path}. Pass a file with one token a line, a folder "
            "that holds vocab.txt or tokenizer.json, or a dict of token -> id."
            + _other_class(path)
        )
    return path


def _other_class(folder: Path) -> str:
    """Advice for a folder whose vocabulary is of another kind."""
    models = sorted(path.name for path in folder.glob("*.model"))
    if models:
        return f" {models[0]} is a SentencePiece model: use SpTokenizer."
    if (folder / "vocab.json").exists():
        return (
            " vocab.json belongs to a byte-level BPE: save the tokenizer.json of the "
            "model next to it and use HFTokenizer."
        )
    return ""


def load_vocab(
    dict_path,
    encoding: str = "utf-8",
    simplified: bool = False,
    startswith: Sequence[str] | None = None,
):
    """Read a vocabulary; the id of a token is its line number, counted from 0.

    dict_path: file, folder with vocab.txt, name of a bundled model or remote
        "hf://owner/name"; of a tokenizer.json with WordPiece, the ids are its own.
    simplified: leave out tokens that BERT's tokenizer can never produce for Chinese
        text, and return (token_dict, keep_tokens): keep_tokens[i] is the id in the
        file of the token with the new id i, for `build_transformer_model`.
    startswith: tokens that come first in a simplified vocabulary.
    Repeated and blank lines keep their number (the first of equal lines counts) and
    are reported by a warning; bert4keras shifted all later ids there.
    """
    path = find_vocab(dict_path)
    if path.suffix == ".json":
        token_dict = read_wordpiece(path).token_dict
    else:
        token_dict = _read_lines(path, encoding)
    if simplified:
        return _simplify(token_dict, startswith or [], path)
    return token_dict


def _read_lines(path: Path, encoding: str) -> dict[str, int]:
    token_dict, blank, repeated = {}, [], []
    for number, line in enumerate(_lines(path, encoding)):
        # Only "\n" ends a line: U+2028 is a token of Google's vocabulary.
        fields = line.split(maxsplit=1)
        token = fields[0] if fields else ""
        if not line.strip(" \t\r"):
            blank.append(number + 1)
        elif token in token_dict:
            repeated.append(number + 1)
        token_dict.setdefault(token, number)
    _report(path, blank, repeated)
    return token_dict


def _lines(path: Path, encoding: str) -> list[str]:
    try:
        text = path.read_bytes().decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not {encoding} text (byte {error.start}: {error.reason}). "
            "Pass encoding=..., or check that this is a vocabulary and not a model."
        ) from error
    lines = text.removeprefix("\ufeff").split("\n")
    if not lines[-1]:
        lines.pop()
    if not any(line.strip() for line in lines):
        raise ValueError(f"{path} holds no token. Expected one token a line.")
    return lines


def _report(path: Path, blank: list[int], repeated: list[int]) -> None:
    found = [
        f"{what} lines {', '.join(map(str, numbers[:10]))}"
        + (f" and {len(numbers) - 10} more" if len(numbers) > 10 else "")
        for what, numbers in (("blank", blank), ("repeated", repeated))
        if numbers
    ]
    if found:
        warnings.warn(
            f"{path} has {' and '.join(found)}. Later tokens keep their line number "
            "as id; check that this is what the model was trained with.",
            stacklevel=4,
        )


def is_redundant(token: str) -> bool:
    """Tell whether a token of several characters holds CJK or punctuation.

    The tokenizer isolates such characters, so it never produces the token.
    """
    stem = token.removeprefix("##")
    return len(token) > 1 and any(is_cjk(c) or is_punctuation(c) for c in stem)


def _simplify(token_dict: dict, startswith: Sequence[str], path: Path):
    missing = [token for token in startswith if token not in token_dict]
    if missing:
        raise ValueError(
            f"startswith names tokens that {path} does not have: {missing[:10]}. "
            "Remove them, or check the vocabulary."
        )
    ordered = sorted(token_dict, key=token_dict.get)
    kept = list(dict.fromkeys(startswith))
    kept += [t for t in ordered if t not in set(kept) and not is_redundant(t)]
    return {t: i for i, t in enumerate(kept)}, [token_dict[t] for t in kept]


def save_vocab(dict_path, token_dict: dict, encoding: str = "utf-8") -> None:
    """Write a vocabulary, one token a line, in the order of the ids.

    Raises ValueError if the ids are not 0, 1, 2, ...: lines could not stand for them.
    """
    Path(dict_path).write_bytes(vocab_text(token_dict).encode(encoding))


def vocab_text(token_dict: dict) -> str:
    """The text of a vocabulary file; raises ValueError as `save_vocab` does."""
    tokens = sorted(token_dict, key=token_dict.get)
    for number, token in enumerate(tokens):
        if token_dict[token] != number:
            raise ValueError(
                f"token {token!r} has id {token_dict[token]}, but would stand on line "
                f"{number} of the file. Ids must be 0, 1, 2, ... without gaps."
            )
    return "".join(f"{token}\n" for token in tokens)
