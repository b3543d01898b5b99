"""Files of entities and words in their official formats."""

import json

import numpy as np
import pytest

from bert4keras3.extraction import (
    Entity,
    featurize,
    read_cluener,
    read_entities,
    read_tagged,
    read_words,
    write_cluener,
)
from bert4keras3.tokenizers import Tokenizer


def written(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


def test_tagged_lines(tmp_path):
    text = "李 B-PER\n明 I-PER\n在 O\nNBA\tB-ORG\r\n\n\n\u2028 O\n他 O"
    (first, found), (second, none) = read_tagged(written(tmp_path / "a.txt", text))
    assert (first, second, none) == ("李明在NBA", "\u2028他", [])
    assert found == [Entity(0, 2, "PER"), Entity(3, 6, "ORG")]


def test_places_in_words_are_no_text(tmp_path):
    text = "2 O\n" * 2 + "\n科 O\n"
    assert read_tagged(written(tmp_path / "a", text))[0][0] == "22"
    text = "科0\tB-PER.NOM\n技1\tI-PER.NOM\n10\tO\n\ufffd\ufffd0\tO\nt11\tO\n"
    [(text, found)] = read_tagged(written(tmp_path / "b", text))
    assert text == "科技1\ufffd\ufffdt" and found == [Entity(0, 2, "PER.NOM")]


def test_cluener_there_and_back(tmp_path):
    label = {"name": {"李明": [[0, 1], [4, 5]]}, "address": {"上海": [[2, 3]]}}
    lines = [{"text": "李明上海李明", "label": label}, {"text": "无", "label": {}}]
    path = written(tmp_path / "a.json", "\n".join(map(json.dumps, lines)))
    data = read_entities(path)
    assert data == read_cluener(path) and data[1] == ("无", [])
    assert data[0][1][0] == Entity(0, 2, "name") and len(data[0][1]) == 3
    assert read_entities(path, labelled=False)[0] == ("李明上海李明", [])
    texts, entities = zip(*data, strict=True)
    write_cluener(tmp_path / "out.json", texts, entities)
    lines = (tmp_path / "out.json").read_text("utf-8").split("\n")
    out = [json.loads(line) for line in lines if line]
    assert out == [{"id": 0, "label": label}, {"id": 1, "label": {}}]
    with pytest.raises(ValueError, match="lie in the text, which has 1 characters"):
        write_cluener(tmp_path / "out.json", ["a"], [[Entity(0, 2, "name")]])
    with pytest.raises(ValueError, match="1 rows of texts and 0 of entities"):
        write_cluener(tmp_path / "out.json", ["a"], [])
    write_cluener(tmp_path / "out.json", ["a"], [[]], ids=["x7"])
    assert json.loads((tmp_path / "out.json").read_text()) == {"id": "x7", "label": {}}
    with pytest.raises(ValueError, match="1 rows of texts and 2 of ids"):
        write_cluener(tmp_path / "out.json", ["a"], [[]], ids=[1, 2])
    write_cluener(tmp_path / "out.json", [], [])
    assert (tmp_path / "out.json").read_bytes() == b""


def test_words(tmp_path):
    path = written(tmp_path / "a.utf8", "\ufeff共同  创造 \r\n\n美好\u3000的  \n")
    assert read_words(path) == [["共同", "创造"], ["美好", "的"]]


@pytest.mark.parametrize(
    "read, text, message",
    [
        (read_tagged, "李 B-PER\n明\n", "line 2: expected a character and a tag"),
        (read_tagged, "李 PER\n", "line 1: 'PER' is no tag"),
        (read_tagged, "\n\n", "no text"),
        (read_cluener, '{"text": "a"}', "line 1: the key 'label' is missing"),
        (read_cluener, '{"text": "a", "label": {}}\n{"text"', "line 2: no JSON"),
        (read_cluener, '{"text": "a", "label": {"b": {"a": [0, 0]}}}', "line 1: 'lab"),
        (read_cluener, "[1]", "line 1: expected a JSON object"),
        (read_cluener, '{"label": {}}', "line 1: the key 'text'"),
        (read_cluener, '{"text": "a", "label": ["name"]}', "line 1: .label. must be"),
        (
            read_cluener,
            '{"text": "李明", "label": {"name": {"李明": [[0, 2]]}}}\n'
            '{"text": "李明", "label": {"name": {"李": [[1, 1]]}}}',
            "line 2: '李'",
        ),
        (read_words, "\n", "no text"),
    ],
)
def test_broken_files_are_named_with_their_line(read, text, message, tmp_path):
    with pytest.raises(ValueError, match=message) as error:
        read(written(tmp_path / "broken", text))
    assert "broken" in str(error.value)


def test_other_encodings_are_named(tmp_path):
    path = written(tmp_path / "gbk.txt", "a O\n李 B-PER\n", "gb18030")
    with pytest.raises(ValueError, match="gbk.txt, line 2: not UTF-8"):
        read_tagged(path)


def test_features_know_where_their_tokens_stand():
    tokenizer = Tokenizer("zh-tiny", do_lower_case=True)
    first, second = featurize(tokenizer, ["我用iPhone", ""], maxlen=32)
    assert first.inputs == tuple(tokenizer.encode("我用iPhone"))
    assert first.offsets[0].tolist() == first.offsets[-1].tolist() == [0, 0]
    spans = first.offsets[1:-1]
    np.testing.assert_array_equal(spans[1:, 0], spans[:-1, 1])
    assert spans[-1, 1] == 8 and len(second.token_ids) == len(second.offsets) == 2
