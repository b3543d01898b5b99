"""Token shards: what is written is read again, and damage is an error."""

import json

import numpy as np
import pytest
from pretraining_corpus import counting_shards, text_shards, tokenizer

from bert4keras3.pretraining import (
    ShardWriter,
    TokenShards,
    Vocabulary,
    write_shards,
)

TEXTS = ["今天天气很好！我们去公园散步吧。", "书写得不错，unable", "气"]


def read_all(shards):
    return [x.tolist() for x in shards.read(0, shards.tokens)]


@pytest.mark.parametrize("options", [{"shard_tokens": 9}, {"workers": 2}])
def test_shards_and_workers_change_nothing(options, tmp_path, monkeypatch):
    whole = TokenShards(text_shards(tmp_path / "a", TEXTS * 5))
    monkeypatch.setattr("bert4keras3.pretraining.writing.CHUNK", 40)
    parts = TokenShards(text_shards(tmp_path / "b", TEXTS * 5, **options))
    assert read_all(parts) == read_all(whole)
    for i in range(len(whole)):
        np.testing.assert_array_equal(parts.document(i), whole.document(i))
        expected = tokenizer().encode(TEXTS[i % 3])[0][1:-1]
        assert whole.document(i).tolist() == expected
    files = list((tmp_path / "b").glob("*.tokens"))
    assert len(files) == (15 if "shard_tokens" in options else 1)


def test_reads_cross_shards_and_go_round(tmp_path):
    shards = TokenShards(counting_shards(tmp_path / "a", [[3], [2, 2], [4]], 5))
    ids = [5, 6, 7, 3, 8, 9, 10, 11, 3, 12, 13, 14, 15, 3]
    assert len(list((tmp_path / "a").glob("*.tokens"))) == 3
    assert shards.tokens == 14
    found, _ = shards.windows([2, 12], 16)
    assert found.tolist() == [[ids[(p + i) % 14] for i in range(16)] for p in (2, 12)]
    assert [shards.document_at(p) for p in (0, 3, 4, 8, 13)] == [
        (0, 3),
        (0, 3),
        (4, 8),
        (4, 8),
        (9, 13),
    ]
    with pytest.raises(IndexError, match="3 documents"):
        shards.document(3)


def test_many_ids_need_32_bits(tmp_path):
    shards = TokenShards(counting_shards(tmp_path / "a", [[65_530], [10]]))
    assert json.loads((tmp_path / "a" / "index.json").read_text())["dtype"] == "uint32"
    assert shards.document(1).tolist() == list(range(65_535, 65_545))


def test_a_folder_appears_complete_or_not_at_all(tmp_path):
    def torn():
        yield TEXTS[0]
        raise OSError("no disk")

    with pytest.raises(OSError, match="no disk"):
        write_shards(torn(), tmp_path / "a", tokenizer())
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="no document"):
        write_shards(["", "\n"], tmp_path / "a", tokenizer())
    report = write_shards(["", *TEXTS], tmp_path / "a", tokenizer())
    assert report == {"documents": 3, "tokens": 28, "shards": 1, "empty": 1}
    with pytest.raises(FileExistsError, match="not empty"):
        write_shards(TEXTS, tmp_path / "a", tokenizer())


def test_damage_is_named(tmp_path):
    folder = text_shards(tmp_path / "a", TEXTS)
    other = tokenizer(token_end="[unused1]")
    other._token_dict_inv[9] = "x"
    with pytest.raises(ValueError, match="another vocabulary"):
        TokenShards(folder, other)
    tokens = folder / "shard-00000.tokens"
    whole = tokens.read_bytes()
    tokens.write_bytes(whole[:-2])
    with pytest.raises(ValueError, match="shard-00000.tokens has 54 bytes.* 56"):
        TokenShards(folder)
    tokens.write_bytes(b"\xff\xff" + whole[2:])
    with pytest.raises(ValueError, match="shard-00000.tokens.* 65535"):
        TokenShards(folder).document(0)
    (folder / "index.json").write_text('{"format": "x"}')
    with pytest.raises(ValueError, match="no index of token shards"):
        TokenShards(folder)
    (folder / "index.json").unlink()
    with pytest.raises(FileNotFoundError, match="no dataset"):
        TokenShards(folder)


def test_mistakes_are_errors(tmp_path):
    with pytest.raises(ValueError, match=r"read_documents\(\[path\]\)"):
        write_shards("corpus.txt", tmp_path / "a", tokenizer())
    with pytest.raises(ValueError, match="a text or a list"):
        write_shards([3], tmp_path / "a", tokenizer())
    with pytest.raises(ValueError, match="end token"):
        write_shards(TEXTS, tmp_path / "a", tokenizer(token_end=None))
    with ShardWriter(tmp_path / "a", Vocabulary.of(tokenizer())) as writer:
        for ids, flags in [
            ([5, 3], [0, 8]),
            ([5, 3], [4, 0]),
            ([99, 3], [4, 8]),
            ([3], [12]),
            ([5], [4, 8]),
        ]:
            with pytest.raises(ValueError, match="must be"):
                writer.add(np.array(ids), np.array(flags))
        writer.add(np.array([5, 3]), np.array([6, 8]))
