"""Vocabularies of Hugging Face folders: ids, casing and special tokens of the files."""

import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer as Backend

from bert4keras3.tokenizers import Tokenizer, load_vocab

VOCAB = Path(__file__).parent / "golden" / "tokenizer" / "vocab.txt"
TEXT = "Hello wörld, 今天天气真好! Playing"


def write(folder, name, values):
    (folder / name).write_text(json.dumps(values), "utf-8")
    return folder / name


def wordpiece_json(folder, lower=True, added=(), **changes):
    """Write the tokenizer.json of a BERT with the vocabulary of the golden files."""
    vocab = load_vocab(VOCAB)
    values = {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [
            {
                "id": vocab.get(token, 900 + i), "content": token, "special": special,
                "single_word": False, "lstrip": False, "rstrip": False,
                "normalized": False,
            }
            for i, (token, special) in enumerate([("[PAD]", True), *added])
        ],
        "normalizer": {
            "type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True,
            "strip_accents": None, "lowercase": lower,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": None, "decoder": None,
        "model": {
            "type": "WordPiece", "unk_token": "[UNK]", "vocab": vocab,
            "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
        },
    }  # fmt: skip
    for key, value in changes.items():
        values[key] = {**values[key], **value}
    return write(folder, "tokenizer.json", values)


def test_padding_has_the_id_of_the_file(tmp_path):
    lines = VOCAB.read_text("utf-8").split("\n")
    lines.remove("[PAD]")
    lines.insert(35, "[PAD]")
    (tmp_path / "vocab.txt").write_text("\n".join(lines), "utf-8")
    tokenizer = Tokenizer(tmp_path)
    assert tokenizer._token_pad_id == 35
    ids, _ = tokenizer.encode_batch(["今天", "今天天气真好"])
    assert ids[0, 4:].tolist() == [35] * 4
    slow, _ = tokenizer.encode_batch(["今天", list("今天天气真好")])
    assert slow[0, 4:].tolist() == [35] * 2


@pytest.mark.parametrize("lower", [True, False])
def test_tokenizer_json_gives_the_ids_of_its_own_library(tmp_path, lower):
    path = wordpiece_json(tmp_path, lower)
    expected = Backend.from_file(str(path)).encode(TEXT).ids
    for source in (path, tmp_path, str(tmp_path)):
        tokenizer = Tokenizer(source)
        assert tokenizer._do_lower_case is lower
        assert tokenizer.encode(TEXT)[0][1:-1] == expected
        assert tokenizer.encode_batch([TEXT], as_lists=True)[0][0][1:-1] == expected
    assert Tokenizer(path, do_lower_case=not lower)._do_lower_case is not lower
    assert load_vocab(path) == load_vocab(VOCAB)


def test_config_says_case_and_tokens(tmp_path):
    vocab = ["<pad>", "<s>", "</s>", "<unk>", "<mask>", "a", "b"]
    (tmp_path / "vocab.txt").write_text("\n".join(vocab), "utf-8")
    config = {
        "do_lower_case": True, "pad_token": "<pad>", "unk_token": "<unk>",
        "cls_token": {"content": "<s>"}, "sep_token": "</s>", "bos_token": "a",
        "mask_token": "<mask>", "added_tokens_decoder": {"7": {"content": "</s2>"}},
    }  # fmt: skip
    write(tmp_path, "tokenizer_config.json", config)
    write(tmp_path, "added_tokens.json", {"<eod>": 8})
    with pytest.warns(UserWarning, match="</s2>.*<eod>.*not split at them"):
        tokenizer = Tokenizer(tmp_path)
    assert tokenizer.encode("A x B")[0] == [1, 5, 3, 6, 2]
    assert (tokenizer._token_pad_id, tokenizer._token_mask_id) == (0, 4)
    assert tokenizer.token_to_id("<eod>") == 8 and tokenizer._vocab_size == 9
    plain = Tokenizer(tmp_path / "vocab.txt", token_start=None, token_end=None)
    assert plain._do_lower_case is False and plain._token_pad == "[PAD]"
    with pytest.warns(UserWarning):
        bare = Tokenizer(tmp_path, token_start=None)
    assert bare.encode("a")[0] == [5, 2]


def test_added_tokens_of_tokenizer_json(tmp_path):
    path = wordpiece_json(tmp_path, added=[("[NEW]", True)])
    assert Tokenizer(path).token_to_id("[NEW]") == 901
    path = wordpiece_json(tmp_path, added=[("冠状病毒", False)])
    with pytest.warns(UserWarning, match="冠状病毒"):
        assert Tokenizer(path).token_to_id("冠状病毒") == 901


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"model": {"type": "BPE"}}, "a model of type BPE"),
        ({"model": {"continuing_subword_prefix": "_"}}, "prefix='_'"),
        ({"normalizer": {"type": "NFC"}}, "the normalizer NFC"),
        ({"normalizer": {"strip_accents": False}}, "strip_accents=False"),
        ({"normalizer": {"handle_chinese_chars": False}}, "handle_chinese_chars"),
        ({"pre_tokenizer": {"type": "ByteLevel"}}, "the pre_tokenizer ByteLevel"),
    ],
)
def test_other_kinds_name_the_right_class(tmp_path, changes, what):
    path = wordpiece_json(tmp_path, **changes)
    with pytest.raises(ValueError, match=f"{what}.*HFTokenizer"):
        Tokenizer(path)


def test_missing_and_broken_files(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"vocab\.txt or tokenizer\.json"):
        Tokenizer(tmp_path)
    (tmp_path / "vocab.json").write_text("{}")
    with pytest.raises(FileNotFoundError, match="use HFTokenizer"):
        Tokenizer(tmp_path)
    for text, error in (("{", "not valid JSON"), ("[]", "object"), ("{}", "no model")):
        (tmp_path / "tokenizer.json").write_text(text)
        with pytest.raises(ValueError, match=error):
            Tokenizer(tmp_path)
