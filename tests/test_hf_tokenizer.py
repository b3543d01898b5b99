"""HFTokenizer: byte-level BPE files with the surface of bert4keras's tokenizers."""

import json
import pickle
import random

import pytest
from test_tokenizer_batch import check, texts
from tokenizers import Tokenizer as Backend
from tokenizers import decoders, models, pre_tokenizers, processors, trainers

from bert4keras3.tokenizers import HFTokenizer

LINES = ["今天天气真好我在北京学习", "hello world playing with words", "3.14 ！？"] * 5
TEXT = "hello  world 今天😀 playing"


def bpe(folder, template=None, **config):
    """Write a folder with a trained byte-level BPE; template: tokens around a text."""
    backend = Backend(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<|endoftext|>", "<|bos|>", "<|pad|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(LINES, trainer)
    if template:
        specials = [(t, backend.token_to_id(t)) for t in ("<|bos|>", "<|endoftext|>")]
        backend.post_processor = processors.TemplateProcessing(
            single=template, special_tokens=specials
        )
    backend.enable_truncation(4)
    backend.enable_padding(length=9)
    backend.save(str(folder / "tokenizer.json"))
    values = {"eos_token": "<|endoftext|>", **config}
    (folder / "tokenizer_config.json").write_text(json.dumps(values))
    backend.no_truncation()
    backend.no_padding()
    return backend


@pytest.mark.parametrize(
    "template", [None, "<|bos|> $A", "$A <|endoftext|>", "<|bos|> $A <|endoftext|>"]
)
def test_ids_are_those_of_the_file(tmp_path, template):
    backend = bpe(tmp_path, template)
    tokenizer = HFTokenizer(tmp_path)
    for text in [TEXT, *texts(random.Random(0), 40)]:
        if not any("\ud800" <= c < "\ue000" for c in text):
            assert tokenizer.encode(text)[0] == backend.encode(text).ids
    assert tokenizer._token_eos_id == 0
    assert tokenizer.decode(tokenizer.encode(TEXT)[0]) == TEXT


@pytest.mark.parametrize("translate", [None, {"hello": "h", "3": "1"}])
def test_batch_gives_the_ids_of_encode(tmp_path, translate):
    bpe(tmp_path, "<|bos|> $A <|endoftext|>")
    tokenizer = HFTokenizer(tmp_path / "tokenizer.json", token_translate=translate)
    tokenizer = pickle.loads(pickle.dumps(tokenizer))
    rng = random.Random(1)
    firsts, seconds = texts(rng, 24), [*texts(rng, 22), "<|pad|>x", ""]
    for limits in ({}, {"maxlen": 9}, {"maxlen": 9, "truncate_from": "left"}):
        check(tokenizer, firsts, None, **limits)
        check(tokenizer, firsts, seconds, **limits)
        check(tokenizer, firsts, seconds, pattern="S*ES*E", **limits)


@pytest.mark.parametrize(
    ("config", "pad"),
    [({"pad_token": "<|pad|>"}, 2), ({}, 0), ({"eos_token": ""}, None)],
)
def test_padding(tmp_path, config, pad):
    """Without a padding token the end of text pads, without both nothing is named."""
    bpe(tmp_path, **config)
    tokenizer = HFTokenizer(tmp_path, token_start="<|bos|>", token_end=None)
    assert getattr(tokenizer, "_token_pad_id", None) == pad
    ids, _ = tokenizer.encode_batch(["今天", "hello world"], length=12)
    assert ids[0, 0] == 1 and ids[0, -1] == (pad or 0)


def test_positions(tmp_path):
    bpe(tmp_path, "<|bos|> $A")
    tokenizer = HFTokenizer(tmp_path)
    tokens = tokenizer.tokenize(TEXT)
    mapping = tokenizer.rematch(TEXT, tokens)
    assert mapping[0] == [] and [15] in mapping
    shown = {i for one in mapping for i in one}
    assert {i for i, c in enumerate(TEXT) if not c.isspace()} <= shown
    for one in mapping[1:]:
        piece = "".join(TEXT[i] for i in one)
        assert piece.strip() == piece or not piece.strip()
    kept = tokenizer.tokenize(TEXT, maxlen=4)
    assert tokenizer.rematch(TEXT, kept) == mapping[:4]
    with pytest.raises(ValueError, match="very text"):
        tokenizer.rematch("hello", tokens)


def test_special_tokens_in_a_text(tmp_path):
    bpe(tmp_path)
    tokenizer = HFTokenizer(tmp_path)
    ids, _ = tokenizer.encode("hello<|endoftext|>")
    assert ids[-1] == 0 and tokenizer._is_special(0) and not tokenizer._is_special(9)
    assert tokenizer.decode([*ids, 10**6]) == "hello"
    assert tokenizer.decode(None, tokenizer.tokenize("今天")) == "今天"


def test_bad_input(tmp_path):
    with pytest.raises(FileNotFoundError, match="no tokenizer.json"):
        HFTokenizer(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ValueError, match="not a tokenizer.json"):
        HFTokenizer(tmp_path)
    bpe(tmp_path)
    with pytest.raises(ValueError, match=r"token_start='\[CLS\]' is not"):
        HFTokenizer(tmp_path, token_start="[CLS]")
    tokenizer = HFTokenizer(tmp_path)
    with pytest.raises(KeyError, match="no unknown token"):
        tokenizer.token_to_id("nonsense")
    with pytest.raises(KeyError, match="no token with id 5000"):
        tokenizer.id_to_token(5000)
