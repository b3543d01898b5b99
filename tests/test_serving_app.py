"""The endpoints: what they answer, and that bad bodies get a clear 4xx."""

import json

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("httpx")

from fastapi.testclient import TestClient
from serving_models import tasks

from bert4keras3.serving import Limits, create_app

LIMITS = Limits(body_bytes=2000, texts=4, characters=50, new_tokens=8, timeout=60)
GOOD = {"texts": ["今天[MASK]很好"]}


@pytest.fixture(scope="module")
def client():
    with TestClient(create_app(list(tasks().values()), LIMITS)) as client:
        yield client


def test_fill_mask(client):
    answer = client.post("/fill-mask", json={**GOOD, "topk": 2})
    assert answer.json()["results"] == tasks()["fill-mask"](GOOD["texts"], topk=2)


def test_classify(client):
    texts = ["房间干净", ["今天", "天气"]]
    answer = client.post("/classify", json={"texts": texts})
    expected = tasks()["classify"](texts)
    assert [one["label"] for one in answer.json()["results"]] == [
        one["label"] for one in expected
    ]


def test_similar(client):
    texts = {"texts": ["今天"], "candidates": ["公园", "今天", "服务"], "topk": 2}
    (best,) = client.post("/similar", json=texts).json()["results"]
    assert [one["text"] for one in best][0] == "今天" and len(best) == 2
    texts = {"texts": ["今天", "我们", "公园", "玩"]}  # as many: the same shape
    scores = client.post("/similar", json=texts).json()["scores"]
    assert scores[0][1] == pytest.approx(scores[1][0])


def events(answer):
    lines = [one for one in answer.text.split("\n\n") if one]
    return [json.loads(one.removeprefix("data: ")) for one in lines]


SAMPLING = {"temperature": 0.8, "topp": 0.95, "topk": 9}


@pytest.mark.parametrize("how", [{}, pytest.param(SAMPLING, marks=pytest.mark.slow)])
def test_a_stream_says_what_the_whole_answer_is(client, how):
    body = {"texts": ["科学技术"], "maxlen": 8, "seed": 3, **how}
    whole = client.post("/generate", json=body).json()
    (answer,) = whole["results"][0]["answers"]
    streamed = client.post("/generate", json={**body, "stream": True})
    assert streamed.headers["content-type"].startswith("text/event-stream")
    *pieces, last = events(streamed)
    assert last == {"done": True, **answer} and whole["seed"] == 3
    assert "".join(one["delta"] for one in pieces) == answer["text"]


@pytest.mark.slow
def test_beams(client):
    body = {"texts": ["今天", "科学"], "maxlen": 3, "beams": 2, "n": 2}
    results = client.post("/generate", json=body).json()["results"]
    assert all(one["answers"][0]["score"] >= one["answers"][1]["score"]
               for one in results)  # fmt: skip


@pytest.mark.parametrize(
    "body, said",
    [
        ({"beams": 2, "stream": True}, "neither"),
        ({"n": 2}, "sampling"),
        ({"n": 2, "topk": 5, "stream": True}, "one answer"),
        ({"maxlen": 9}, "maxlen"),
        ({"temperature": 0.33}, "multiple"),
        ({"topp": 1.5}, "less than"),
        ({"maxlen": 8, "texts": ["天" * 30]}, "positions"),
        ({"maxlen": 8, "texts": ["天" * 30], "stream": True}, "positions"),
    ],
)
def test_bad_generation(client, body, said):
    answer = client.post("/generate", json={"texts": ["今天"], **body})
    assert said in json.dumps(answer.json()["error"]) and answer.status_code == 422


def test_openapi_describes_the_bodies(client):
    paths = client.get("/openapi.json").json()["paths"]
    content = paths["/generate"]["post"]["requestBody"]["content"]
    assert "temperature" in content["application/json"]["schema"]["properties"]
