"""What a server tells about itself: /health, /metrics, the page."""

import threading
import time

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("httpx")

from fastapi.testclient import TestClient
from serving_models import Echo

from bert4keras3.serving import create_app


@pytest.fixture(scope="module")
def task():
    return Echo()


@pytest.fixture(scope="module")
def client(task):
    with TestClient(create_app([task], max_wait=0.5)) as client:
        yield client


def test_health_metrics_and_batches(client, task):
    before = len(task.calls)

    def ask():
        assert client.post("/fill-mask", json={"texts": ["x"]}).status_code == 200

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert 1 <= len(task.calls) - before < 6
    assert client.get("/health").json()["tasks"] == ["fill-mask"]
    time.sleep(0.01)
    text = client.get("/metrics").text
    assert 'requests_total{endpoint="/fill-mask",status="200"}' in text
    assert 'batch_items_bucket{task="fill-mask",le="+Inf"}' in text
    assert "bert4keras3_queue_items 0\n" in text


def test_the_page_brings_everything_along(client):
    answer = client.get("/")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "<textarea" in answer.text and "://" not in answer.text
