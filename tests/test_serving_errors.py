"""Bad requests get a clear 4xx in JSON, whatever they are made of."""

import json

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("httpx")

from fastapi.testclient import TestClient
from serving_models import Echo

from bert4keras3.serving import Limits, create_app

LIMITS = Limits(body_bytes=20000, texts=4, characters=50, timeout=60)
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def task():
    return Echo()


@pytest.fixture(scope="module")
def client(task):
    app = create_app([task], LIMITS, max_wait=0.05)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def error(answer, status, code):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["error"]["code"] == code
    return answer.json()["error"]


BAD = [
    (b"", 400, "malformed_json"),
    (b"{", 400, "malformed_json"),
    (b'{"texts": ["\xff"]}', 400, "not_utf8"),
    ('{"texts": ["今"]}'.encode("utf-16"), 400, "not_utf8"),
    (b'{"texts": ["a"], "topk": NaN}', 400, "malformed_json"),
    (b'{"texts": ["a"], "texts": ["b"]}', 400, "malformed_json"),
    (b'{"topk": ' + b"1" * 1000 + b"}", 422, "invalid"),
    (b'{"texts": ["a"], "topk": 1e999}', 422, "invalid"),
    (b'{"topk": ' + b"1" * 5000 + b"}", 400, "malformed_json"),
    (b"[" * 10000 + b"]" * 10000, 400, "too_deep"),
    (b'{"a":' * 3000 + b"1" + b"}" * 3000, 400, "too_deep"),
    (b"[]", 422, "invalid"),
    (b"null", 422, "invalid"),
    (b"{}", 422, "invalid"),
    (b'{"texts": []}', 422, "invalid"),
    (b'{"texts": "a"}', 422, "invalid"),
    (b'{"texts": [1]}', 422, "invalid"),
    (b'{"texts": [null]}', 422, "invalid"),
    (b'{"texts": ["\\ud800"]}', 400, "malformed_json"),
    (b'{"texts": ["a"], "\\ud800": 1}', 400, "malformed_json"),
    (b'{"texts": ["a"], "topk": "5"}', 422, "invalid"),
    (b'{"texts": ["a"], "topk": true}', 422, "invalid"),
    (b'{"texts": ["a"], "topk": 0}', 422, "invalid"),
    (b'{"texts": ["a"], "other": 1}', 422, "invalid"),
    (b'{"texts": [""]}', 422, "unfit_text"),
    (b'{"texts": ["a", "a", "a", "a", "a"]}', 413, "too_many_texts"),
    (json.dumps({"texts": ["a" * 51]}).encode(), 413, "text_too_long"),
    (json.dumps({"texts": ["a" * 20000]}).encode(), 413, "body_too_large"),
]


@pytest.mark.parametrize("body, status, code", BAD)
def test_bad_bodies(client, body, status, code):
    error(client.post("/fill-mask", content=body, headers=JSON), status, code)
    chunked = client.post("/fill-mask", content=iter([body]), headers=JSON)
    error(chunked, status, code)


def test_escapes_of_whole_characters(client):
    body = b'{"texts": ["\\ud83d\\ude00 \\u4eca"]}'
    answer = client.post("/fill-mask", content=body, headers=JSON)
    assert answer.json()["results"][0]["text"] == "\U0001f600 今"


def test_errors_name_the_place(client):
    found = client.post("/fill-mask", json={"texts": ["a", 1]}).json()["error"]
    assert found["field"] == "texts[1]" and "string" in found["message"]
    found = client.post("/fill-mask", json={"texts": ["a"], "top": 1}).json()["error"]
    assert found["field"] == "top" and "texts, topk" in found["message"]


def test_other_types_and_encodings(client):
    body = json.dumps({"texts": ["a"]}).encode()
    for headers in (
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/json; charset=gbk"},
        {**JSON, "Content-Encoding": "gzip"},
        {},
    ):
        answer = client.post("/fill-mask", content=body, headers=headers)
        error(answer, 415, "unsupported_type")
    fine = {"Content-Type": 'application/json; charset="UTF-8"'}
    answer = client.post("/fill-mask", content=body, headers=fine)
    assert answer.json() == {"results": [{"text": "a", "masks": []}]}


def test_other_paths_and_methods(client):
    error(client.get("/nothing"), 404, "not_found")
    error(client.post("/fill-mask/"), 404, "not_found")
    answer = client.get("/fill-mask")
    error(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize("name", ["classify", "similar", "generate"])
def test_an_endpoint_that_is_not_there_says_how_to_get_it(client, name):
    found = error(client.post(f"/{name}", json={}), 404, "unavailable")
    assert "bert4keras3 serve" in found["message"]


def test_a_broken_model_is_not_the_client_s_fault(client, caplog):
    answer = client.post("/fill-mask", json={"texts": ["broken"]})
    found = error(answer, 500, "internal")
    assert "broke" not in found["message"] and "the model broke" in caplog.text
    assert client.post("/fill-mask", json={"texts": ["fine"]}).status_code == 200


def test_a_late_answer_is_503(task):
    limits = Limits(timeout=0.2)
    task.go.clear()
    with TestClient(create_app([task], limits)) as client:
        answer = client.post("/fill-mask", json={"texts": ["a"]})
        error(answer, 503, "timeout")
        assert int(answer.headers["retry-after"]) >= 1
        task.go.set()
