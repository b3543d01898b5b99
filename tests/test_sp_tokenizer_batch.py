"""SpTokenizer on any text: batches, positions of pieces, folders and bad input."""

import pickle
import random
import shutil
import sys
from pathlib import Path

import pytest
from test_tokenizer_batch import check, texts

from bert4keras3.tokenizers import SpTokenizer, Tokenizer

spm = pytest.importorskip("sentencepiece")

MODEL = Path(__file__).parent / "golden" / "sp_tokenizer" / "spm.model"
ODD = ["", " ", "</s> x", "<unk>", "<pad>a", "a\n b", "<0x41>", "▁▁ x▁", "ﬁ㍿ é"]


@pytest.fixture(scope="module")
def bpe(tmp_path_factory):
    """A small BPE model with bytes for unknown characters."""
    prefix = tmp_path_factory.mktemp("spm") / "bpe"
    lines = ["今天天气真好我在北京学习", "hello world playing", "the lazy dog"] * 9
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_prefix=str(prefix), model_type="bpe",
        vocab_size=320, byte_fallback=True, minloglevel=2,
    )  # fmt: skip
    return f"{prefix}.model"


@pytest.fixture(scope="module", params=["unigram", "bpe"])
def model(request):
    return MODEL if request.param == "unigram" else request.getfixturevalue("bpe")


@pytest.mark.parametrize(
    "options",
    [
        {"token_start": None, "token_end": "</s>"},
        {"token_start": "<s>", "token_end": None, "pre_tokenize": list},
        {"token_translate": {"▁": "</s>", "天": "气"}},
    ],
)
def test_batch_gives_the_ids_of_encode(model, options):
    rng = random.Random(1)
    tokenizer = pickle.loads(pickle.dumps(SpTokenizer(model, **options)))
    firsts = texts(rng, 24) + ODD
    seconds = texts(rng, 24) + ODD[::-1]
    for limits in ({}, {"maxlen": 7}, {"maxlen": 7, "truncate_from": "left"}):
        check(tokenizer, firsts, None, **limits)
        check(tokenizer, firsts, seconds, **limits)


def test_positions_cover_the_text(model):
    tokenizer = SpTokenizer(model, token_start=None, token_end="</s>")
    for text in [*texts(random.Random(2), 60), *ODD]:
        tokens = tokenizer.tokenize(text)
        mapping = tokenizer.rematch(text, tokens)
        assert len(mapping) == len(tokens) and mapping[-1] == []
        places = {place for one in mapping for place in one}
        starts = [one[0] for one in mapping if one]
        assert starts == sorted(starts)
        letters = {i for i, c in enumerate(text) if c.isascii() and c.isalnum()}
        assert letters <= places


def test_positions(model):
    tokenizer = SpTokenizer(model, token_start=None, token_end="</s>")
    text = "hello  world 今天"
    tokens = tokenizer.tokenize(text)
    for token, places in zip(tokens, tokenizer.rematch(text, tokens), strict=True):
        if places and not token.startswith("<0x"):
            found = "".join(text[i] for i in places)
            assert found == token.strip("▁") or found.isspace()
    spans = tokenizer.offsets(text, tokens)
    assert spans[-2].tolist()[1] == len(text) and spans[-1].tolist() == [0, 0]
    for kept in (tokens[:3], tokens[2:], tokens[:2] + tokens[-2:]):
        whole = dict(zip(map(id, tokens), tokenizer.rematch(text, tokens), strict=True))
        assert tokenizer.rematch(text, kept) == [whole[id(token)] for token in kept]
    with pytest.raises(ValueError, match="very text"):
        tokenizer.rematch("今天 world", tokens)


def test_all_bytes_of_a_character_stand_at_its_place(bpe):
    tokenizer = SpTokenizer(bpe, token_start=None, token_end=None)
    tokens = tokenizer.tokenize("今😀天")
    mapping = tokenizer.rematch("今😀天", tokens)
    at = [m for t, m in zip(tokens, mapping, strict=True) if t.startswith("<0x")]
    assert at == [[1]] * 4 and mapping[-1] == [2]


def test_positions_through_words():
    def words(text):
        return [text[i : i + 3].replace(" ", "▂") for i in range(0, len(text), 3)]

    tokenizer = SpTokenizer(MODEL, token_start=None, token_end=None, pre_tokenize=words)
    text = "今天 天气真好"
    mapping = tokenizer.rematch(text, tokenizer.tokenize(text))
    assert [m for m in mapping if m and text[m[0]] != " "] == [
        [0], [1], [3], [4], [5], [6]
    ]  # fmt: skip
    tokenizer._pre_tokenize = lambda text: ["dog", "cats!"]
    with pytest.raises(ValueError, match="pre_tokenize gives the word 'dog'"):
        tokenizer.rematch("今天", [])


def test_arrays_of_ids_and_padding():
    tokenizer = SpTokenizer(MODEL, token_start=None, token_end="</s>")
    ids, _ = tokenizer.encode_batch(["hello world", "今天天气真好"])
    assert ids.shape == (2, 6) and ids[1].tolist() == [35, 1, 0, 0, 0, 0]
    assert tokenizer.decode(ids[1]) == "今天天气真好"
    assert tokenizer.decode(None, ["▁world", "</s>"]) == "world"


def test_folders(tmp_path):
    with pytest.raises(FileNotFoundError, match="must hold one SentencePiece model"):
        SpTokenizer(tmp_path)
    shutil.copy(MODEL, tmp_path / "spiece.model")
    assert SpTokenizer(tmp_path).tokenize("今")[1:] == ["▁", "今", "[SEP]"]
    with pytest.raises(FileNotFoundError, match="use SpTokenizer"):
        Tokenizer(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "xlm-roberta"}')
    with pytest.raises(ValueError, match="xlm-roberta.*HFTokenizer"):
        SpTokenizer(tmp_path)


def test_bad_files(tmp_path, monkeypatch):
    (tmp_path / "a.model").write_bytes(b"no model")
    with pytest.raises(ValueError, match=r"a\.model is not a SentencePiece model"):
        SpTokenizer(tmp_path / "a.model")
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    with pytest.raises(ImportError, match="pip install 'sentencepiece"):
        SpTokenizer(MODEL)
