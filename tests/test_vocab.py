"""Vocabulary files: ids are line numbers, and damage is reported or refused."""

import json
import random
import warnings
from pathlib import Path

import pytest

from bert4keras3.tokenizers import Tokenizer, load_vocab, save_vocab

FOLDER = Path(__file__).parent / "golden" / "tokenizer"
GOLDEN = json.loads((FOLDER / "vocab.json").read_text("utf-8"))
VOCAB = FOLDER / "vocab.txt"


@pytest.mark.parametrize("name", ["simplified", "simplified_no_startswith"])
def test_simplified(name):
    case = GOLDEN[name]
    token_dict, kept = load_vocab(
        VOCAB, simplified=True, startswith=case.get("startswith")
    )
    assert token_dict == case["token_dict"]
    full = load_vocab(VOCAB)
    assert [full[token] for token in token_dict] == kept
    if "keep_tokens" in case:
        assert kept == case["keep_tokens"]


def test_startswith_must_be_known():
    with pytest.raises(ValueError, match=r"startswith.*\[FOO\]"):
        load_vocab(VOCAB, simplified=True, startswith=["[PAD]", "[FOO]"])


def test_repeated_and_blank_lines_shift_nothing():
    """bert4keras gave `a` the id 6 here, and every later token one too small."""
    with pytest.warns(UserWarning, match="blank lines 5 and repeated lines 6, 8, 11"):
        found = load_vocab(FOLDER / "vocab_odd.txt")
    assert found == {
        "[PAD]": 0, "[UNK]": 1, "a": 2, "b": 3, "": 4, "c": 6, "d": 8, "e": 9,
        "g": 11, "lead": 12, "last-without-newline": 13,
    }
    assert set(found) == set(GOLDEN["odd"]["token_dict"])


def test_only_a_newline_ends_a_line(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_bytes("a\r\n\u2028\nb\x0bc\nd\x85e\nf".encode())
    assert load_vocab(path) == {"a": 0, "": 1, "b": 2, "d": 3, "f": 4}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "gb18030"])
def test_save_and_load(tmp_path, encoding):
    token_dict = load_vocab(VOCAB)
    path = tmp_path / "saved.txt"
    save_vocab(path, token_dict, encoding)
    assert load_vocab(path, encoding) == token_dict


def test_save_refuses_gaps(tmp_path):
    with pytest.raises(ValueError, match="'b' has id 2, but would stand on line 1"):
        save_vocab(tmp_path / "saved.txt", {"a": 0, "b": 2})
    assert not (tmp_path / "saved.txt").exists()


def test_folder_dict_and_missing_file(tmp_path):
    token_dict = load_vocab(VOCAB)
    assert load_vocab(FOLDER) == token_dict
    assert Tokenizer(str(FOLDER))._token_dict == token_dict
    assert Tokenizer(token_dict).encode("今") == Tokenizer(FOLDER).encode("今")
    with pytest.raises(FileNotFoundError, match="no vocabulary at .*nowhere"):
        load_vocab(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"vocab\.txt"):
        load_vocab(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\n", b" \n\t\r\n", b"\xef\xbb\xbf"])
def test_empty_file(tmp_path, content):
    path = tmp_path / "vocab.txt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"vocab\.txt holds no token"):
        load_vocab(path)


def test_undecodable_file(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_bytes("今\n天".encode("gb18030"))
    with pytest.raises(ValueError, match="is not utf-8 text"):
        load_vocab(path)
    assert load_vocab(path, "gb18030") == {"今": 0, "天": 1}


def mutated(rng, content):
    """Change one thing: a byte, a line twice, gone or emptied, or the end cut off."""
    lines = content.split(b"\n")[:-1]
    row = rng.randrange(len(lines))
    kind = rng.choice(("byte", "twice", "gone", "empty", "cut", "crlf", "bom"))
    if kind == "byte":
        place = rng.randrange(len(content))
        return content[:place] + bytes([rng.randrange(256)]) + content[place + 1 :]
    if kind == "cut":
        return content[: rng.randrange(len(content))]
    if kind == "crlf":
        return content.replace(b"\n", b"\r\n")
    if kind == "bom":
        return b"\xef\xbb\xbf" + content
    lines[row : row + 1] = {
        "twice": [lines[row]] * 2, "gone": [], "empty": [b""]
    }[kind]
    return b"\n".join([*lines, b""])


def test_mutations(tmp_path):
    """A damaged file is refused, or reported, or read with line numbers as ids."""
    rng = random.Random(0)
    content, path = VOCAB.read_bytes(), tmp_path / "vocab.txt"
    original = load_vocab(VOCAB)
    seen = {"refused": 0, "reported": 0, "equal": 0, "other": 0}
    for _ in range(300):
        path.write_bytes(mutated(rng, content))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                found = load_vocab(path)
            except ValueError as error:
                assert str(path) in str(error)
                seen["refused"] += 1
                continue
        text = path.read_bytes().decode().removeprefix("\ufeff")
        lines = [(line.split() or [""])[0] for line in text.split("\n")]
        assert all(lines[i] == token for token, i in found.items())
        if len(found) < len(lines) - (not lines[-1]):
            assert caught and str(path) in str(caught[0].message)
            seen["reported"] += 1
        else:
            seen["equal" if found == original else "other"] += 1
    assert min(seen.values()) > 0, seen
