"""bert4keras's WebServing: routes, arguments, codes."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("httpx")

from fastapi.testclient import TestClient

from bert4keras3.snippets import WebServing


def repeat(text, n=1):
    if n < 0:
        raise RuntimeError("n must not be negative")
    return [text] * n if n else {1, 2}


@pytest.fixture(scope="module")
def client():
    web = WebServing("127.0.0.1", 8864)
    arguments = {"text": (None, True), "n": (int, False)}
    web.route("/repeat", repeat, arguments)
    web.route("/send", repeat, arguments, method="POST")
    with TestClient(web.app) as client:
        yield client


def test_answers(client):
    found = client.get("/repeat", params={"text": "今天", "n": "2"}).json()
    assert (found["code"], found["data"]) == (0, ["今天", "今天"])
    assert client.get("/repeat?text=a").json()["data"] == ["a"]
    assert client.post("/send", data={"text": "天", "n": 1}).json()["data"] == ["天"]
    assert client.post("/send", json={"text": "天", "n": 1}).json()["data"] == ["天"]


@pytest.mark.parametrize(
    "query, code, said",
    [
        ("", 1, "text"),
        ("?n=3", 1, "text"),
        ("?text=", 1, "text"),
        ("?text=a&n=x", 2, "invalid literal"),
        ("?text=a&n=-1", 2, "negative"),
        ("?text=a&n=0", 2, "serializable"),
    ],
)
def test_codes(client, query, code, said):
    answer = client.get(f"/repeat{query}")
    assert answer.status_code == 200
    assert answer.json()["code"] == code and said in answer.json()["desc"]


@pytest.mark.parametrize("body", [b"\xff", b"[1]", b"{"])
def test_bad_bodies(client, body):
    headers = {"Content-Type": "application/json"}
    answer = client.post("/send", content=body, headers=headers)
    assert answer.status_code == 200 and answer.json()["code"] == 2


def test_calls_never_overlap():
    running = []

    def alone():
        running.append(1)
        count = len(running)
        time.sleep(0.01)
        running.pop()
        return count

    web = WebServing()
    web.route("/alone", alone, {})

    with TestClient(web.app) as client, ThreadPoolExecutor(4) as pool:
        answers = pool.map(lambda _: client.get("/alone").json()["data"], range(8))
        assert list(answers) == [1] * 8


def test_another_method_is_refused():
    with pytest.raises(ValueError, match="'PUT'"):
        WebServing().route("/x", repeat, {}, method="PUT")
