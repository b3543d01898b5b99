"""Words before WordPiece (T5-PEGASUS): batches, positions, and jieba's settings."""

import pickle
import random
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
from test_tokenizer_batch import check, texts

from bert4keras3.tokenizers import Tokenizer, jieba_pre_tokenize, load_vocab

VOCAB = Path(__file__).parent / "golden" / "tokenizer" / "vocab.txt"


def words(text):
    """A segmenter: known words, else runs of letters, else characters."""
    return re.findall(r"今天|天气|北京|[a-z]+|\s+|.", text, re.S)


@pytest.fixture
def vocab():
    found = load_vocab(VOCAB)
    for word in ("今天", "天气", "北京", "Å"):
        found[word] = len(found)
    return found


@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("translate", [None, {"今天": "[MASK]"}])
def test_batch_gives_the_ids_of_encode(vocab, lower, translate):
    tokenizer = Tokenizer(vocab, lower, pre_tokenize=words, token_translate=translate)
    rng = random.Random(0)
    firsts = [*texts(rng, 30), "今天天气真好", ""]
    seconds = [*texts(rng, 30), "", "今天 Hello北京"]
    for limits in ({}, {"maxlen": 8}, {"maxlen": 8, "truncate_from": "left"}):
        check(tokenizer, firsts, None, **limits)
        check(tokenizer, firsts, seconds, **limits)


def test_words_of_the_vocabulary_stay_whole(vocab):
    tokenizer = Tokenizer(vocab, True, pre_tokenize=words)
    text = "今天天气真好, Playing北京"
    tokens = tokenizer.tokenize(text)
    assert tokens[1:5] == ["今天", "天气", "真", "好"] and tokens[-2] == "北京"
    assert tokenizer.offsets(text, tokens)[1:5].tolist() == [
        [0, 2], [2, 4], [4, 5], [5, 6]
    ]  # fmt: skip
    assert tokenizer.rematch(text, tokens)[-2] == [15, 16]


@pytest.mark.parametrize("name", ["jieba", "rjieba"])
def test_jieba_cuts_without_its_hidden_markov_model(monkeypatch, name):
    def lcut(text, cut_all=False, HMM=True):
        return [text, HMM]

    def cut(text, hmm=True):
        return [text, hmm]

    module = ModuleType(name)
    module.lcut, module.cut = lcut, cut
    monkeypatch.setitem(sys.modules, "jieba", None)
    monkeypatch.setitem(sys.modules, name, module)
    tokenizer = Tokenizer(VOCAB, pre_tokenize=jieba_pre_tokenize())
    tokenizer = pickle.loads(pickle.dumps(tokenizer))
    assert tokenizer._pre_tokenize("今天") == ["今天", False]


def test_without_jieba(monkeypatch):
    for name in ("jieba", "rjieba"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match="pip install jieba"):
        jieba_pre_tokenize()
