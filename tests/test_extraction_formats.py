"""LIC2019, DuEE and DuEE-fin files: read, written as submissions, and read again."""

import json

import pytest

from bert4keras3.extraction.event_formats import (
    read_duee,
    read_duee_fin,
    read_event_schema,
    write_events,
)
from bert4keras3.extraction.events import Argument, Event
from bert4keras3.extraction.formats import (
    Missing,
    Relation,
    first_span,
    read_duie,
    read_duie_schema,
    write_duie,
)
from bert4keras3.extraction.scores import TRIGGER

TEXT = "《离开》是由张宇谱曲，OK演唱"


def write(path, *lines):
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return path


def spo(subject, predicate, other):
    return {"subject": subject, "predicate": predicate, "object": other}


def test_relations_round_trip(tmp_path):
    triples = [spo("离开", "作曲", "张宇"), spo("离开", "歌手", "ok")]
    triples.append(spo("离", "x", "飞"))
    path = write(tmp_path / "a.json", {"text": TEXT, "spo_list": triples})
    with pytest.warns(UserWarning, match=r"a\.json: 1 strings .* '飞' in line 1"):
        read_duie(path)
    missing = []
    [(text, relations)] = read_duie(path, missing=missing)
    assert missing == [Missing(1, "飞")]
    expected = [((1, 3), "作曲", (6, 8)), ((1, 3), "歌手", (11, 13))]
    assert relations == [Relation(*one) for one in expected]
    types = [
        {"predicate": "作曲", "subject_type": "歌曲", "object_type": "人物"},
        {"predicate": "歌手", "subject_type": "歌曲", "object_type": "人物"},
    ]
    schema = read_duie_schema(write(tmp_path / "schema", *types))
    out = tmp_path / "out.json"
    write_duie(out, [text, ""], [relations * 2, []], schema)
    first, second = map(json.loads, out.read_text("utf-8").splitlines())
    assert first["spo_list"] == [
        spo("离开", "作曲", "张宇") | {"subject_type": "歌曲", "object_type": "人物"},
        spo("离开", "歌手", "OK") | {"subject_type": "歌曲", "object_type": "人物"},
    ]
    assert second == {"text": "", "spo_list": []}
    assert read_duie(out)[0] == (text, relations)
    assert read_duie(path, labelled=False) == [(TEXT, [])]
    with pytest.raises(ValueError, match="'作曲', which is not in the schema"):
        write_duie(out, [text], [relations], {})
    with pytest.raises(ValueError, match="text 0 has 2 characters"):
        write_duie(out, ["ab"], [relations])


def test_first_span():
    assert first_span("aAa", "A") == (1, 2)
    assert first_span("İstanbul, ISTANBUL", "stan") == (1, 5)
    assert first_span("abc", "") is None
    assert first_span("abc", "d") is None


SCHEMA = {
    "event_type": "公司上市",
    "role_list": [{"role": "公司"}, {"role": "环节", "enum_items": ["正式", "终止"]}],
}


def test_duee_round_trip(tmp_path):
    who = {"role": "公司", "argument": "某社", "argument_start_index": 0, "alias": []}
    bad = {"role": "公司", "argument": "某社", "argument_start_index": 1}
    event = {"event_type": "公司上市", "trigger": "上市", "trigger_start_index": 2}
    event["arguments"] = [who, bad]
    line = {"text": "某社上市", "id": "7", "event_list": [event]}
    path, missing = write(tmp_path / "a.json", line), []
    [(text, events, name)] = read_duee(path, missing=missing)
    assert missing == [Missing(1, "某社")]
    whole = Event.of("公司上市", [("公司", 0, 2), (TRIGGER, 2, 4)])
    assert (text, events, name) == ("某社上市", [whole], "7")
    trigger = Event("公司上市", (Argument(TRIGGER, 2, 4),))
    write_events(tmp_path / "out", ["7"], [text], [[trigger, whole, whole]])
    arguments = [{"role": "公司", "argument": "某社"}]
    assert json.loads((tmp_path / "out").read_text("utf-8")) == {
        "id": "7",
        "event_list": [{"event_type": "公司上市", "arguments": arguments}],
    }
    write_events(tmp_path / "out", ["7"], [text], [[trigger, whole]], drop_parts=False)
    assert len(json.loads((tmp_path / "out").read_text("utf-8"))["event_list"]) == 2


def test_duee_fin_round_trip(tmp_path):
    schema = read_event_schema(write(tmp_path / "schema", SCHEMA))
    assert [role for _, role in schema.labels] == [TRIGGER, "公司", "正式", "终止"]
    arguments = [{"role": "公司", "argument": "A  B"}]
    arguments.append({"role": "环节", "argument": "终止"})
    event = {"event_type": "公司上市", "trigger": "退市", "arguments": arguments}
    line = {"title": "题 ", "text": "A \n B今退市", "id": "9", "event_list": [event]}
    path = write(tmp_path / "a.json", line)
    [(text, events, _)] = read_duee_fin(path, schema)
    assert text == "题\nA B今退市"
    spans = [("公司", 2, 5), (TRIGGER, 6, 8), ("终止", 6, 8)]
    assert events == [Event.of("公司上市", spans)]
    write_events(tmp_path / "out", ["9"], [text], [events], schema)
    [found] = json.loads((tmp_path / "out").read_text("utf-8"))["event_list"]
    expected = {("公司", "A B"), ("环节", "终止")}
    assert {(one["role"], one["argument"]) for one in found["arguments"]} == expected
    assert read_duee_fin(path, labelled=False) == [(text, [], "9")]
    empty = {key: line[key] for key in ("title", "text", "id")}
    both = read_duee_fin(write(tmp_path / "b.json", empty, line), schema)
    assert both == [(text, [], "9"), (text, events, "9")]
    with pytest.raises(ValueError, match=r"b\.json: no line .* labelled=False"):
        read_duee_fin(write(tmp_path / "b.json", empty), schema)
    arguments[1]["argument"] = "中止"
    with pytest.raises(ValueError, match="line 1: '中止' is no value of .* '环节'"):
        read_duee_fin(write(path, line), schema)


@pytest.mark.parametrize(
    ("read", "line", "message"),
    [
        (read_duie, '{"text": ', "line 2: no JSON"),
        (read_duie, "[]", "line 2: expected a JSON object"),
        (read_duie, '{"spo_list": []}', "line 2: .* has no 'text'"),
        (read_duie, '{"text": "a"}', "no 'spo_list'.*labelled=False"),
        (read_duie, '{"text": "a", "spo_list": [{}]}', "line 2: {} has no 'subject'"),
        (read_duie, '{"text": "a", "spo_list": [3]}', "line 2: 3 has no 'subject'"),
        (read_duie, '{"text": 1, "spo_list": []}', "'text' must be a str. Received 1"),
        (read_duee, '{"text": "a", "event_list": []}', "line 2: .* has no 'id'"),
        (read_duee_fin, '{"text": "a"}', "line 2: .* has no 'title'"),
        (read_event_schema, '{"event_type": "a"}', "line 2: .* has no 'role_list'"),
    ],
)
def test_broken_lines_are_named(tmp_path, read, line, message):
    path = tmp_path / "broken.json"
    path.write_text(f"\n{line}\n", encoding="utf-8")
    with pytest.raises(ValueError, match=message) as error:
        read(path)
    assert "broken.json, line 2" in str(error.value)
