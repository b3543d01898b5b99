"""From texts to tokens: sentences, words, files and the command."""

import numpy as np
import pytest
from pretraining_corpus import tokenizer

from bert4keras3.cli import main
from bert4keras3.pretraining import (
    TokenShards,
    read_documents,
    split_sentences,
    write_shards,
)
from bert4keras3.pretraining.shards import CONTINUES, DOCUMENT, SENTENCE, SPECIAL
from bert4keras3.tokenizers import Tokenizer


def read_all(shards):
    return [x.tolist() for x in shards.read(0, shards.tokens)]


def test_sentences():
    assert split_sentences("“好吗？”他问。！\n再见… 3.5 is. ok 吧") == [
        "“好吗？”",
        "他问。！",
        "再见…",
        " 3.5 is.",
        "ok 吧",
    ]


def test_ids_sentences_and_words(tmp_path):
    cut = {"今天天气很好！": "今天 天气 很好！", "unable bc我们": "unable   bc 我们"}
    words, documents = tokenizer(), [list(cut)]
    segmented = {text: parts.split(" ") for text, parts in cut.items()}
    segmented["unable bc我们"][1:3] = [" "]
    write_shards(documents, tmp_path / "a", words, segmented.get)
    shards = TokenShards(tmp_path / "a", words)
    ids, flags = read_all(shards)
    expected = [i for part in cut for i in words.encode(part)[0][1:-1]]
    assert ids == [*expected, 3] and shards.document(0).tolist() == expected
    begin, go, word = SENTENCE, CONTINUES, 0
    first = [begin | DOCUMENT, go, word, go, word, go, go]
    second = [begin, go, word, go, word, go, SPECIAL]
    assert flags == first + second
    assert shards.words and len(shards) == 1


def test_words_that_the_tokenizer_does_not_part_are_joined(tmp_path):
    words = tokenizer()
    write_shards(["unable气"], tmp_path / "a", words, lambda t: ["un", "able", "气"])
    ids, flags = read_all(TokenShards(tmp_path / "a"))
    assert ids == [*words.encode("unable气")[0][1:-1], 3]
    assert flags == [SENTENCE | DOCUMENT, CONTINUES, 0, SPECIAL]
    with pytest.raises(ValueError, match="nothing left out"):
        write_shards(["今天"], tmp_path / "b", words, lambda text: ["今"])
    assert not (tmp_path / "b").exists()


def test_flat_ids_are_those_of_encode():
    texts = ["今天 unable", "", "b bc，气"]
    for one in (tokenizer(), tokenizer(token_end=None), Other(tokenizer()._token_dict)):
        ids, counts = one.encode_flat(texts)
        head, tail = 1, None if one._token_end is None else -1
        rows = [one.encode(text)[0][head:tail] for text in texts]
        assert ids.tolist() == sum(rows, []) and ids.dtype == np.int32
        assert counts.tolist() == [len(row) for row in rows]
    with pytest.raises(TypeError, match="a list of texts"):
        tokenizer().encode_flat("今天")


class Other(Tokenizer):
    def _tokenize(self, text):
        return list(text)


def test_the_command(tmp_path, capsys):
    text, vocab = tmp_path / "a.txt", tmp_path / "vocab.txt"
    text.write_text("今天\n天气\n\n我们\n", "utf-8")
    vocab.write_text("\n".join(tokenizer()._token_dict), "utf-8")
    command = ["shards", str(text), str(tmp_path / "s"), "--tokenizer", str(vocab)]
    assert main([*command, "--unit", "document"]) == 0
    assert "2 documents, 8 tokens in 1 shards" in capsys.readouterr().out
    assert list(read_documents([text])) == ["今天", "天气", "我们"]
    assert main(command) == 1
    text.write_bytes(b"\xff")
    with pytest.raises(ValueError, match="a.txt, line 1: not UTF-8"):
        list(read_documents([text]))
