"""A server that is told to stop answers what is in flight, and exits with 0."""

import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from server_process import ended, running

httpx = pytest.importorskip("httpx")
pytest.importorskip("uvicorn")

pytestmark = pytest.mark.slow

# Calls of half a second, one text each.
SCRIPT = """
from serving_models import Echo
from bert4keras3.serving import Limits, serve
serve([Echo(0.5)], port=0, max_batch=1, limits=Limits(grace={grace}))
"""


def wait_for(url, count):
    """Return when that many requests are in flight, beside the one that asks."""
    while f"requests_in_flight {count + 1}\n" not in httpx.get(f"{url}/metrics").text:
        time.sleep(0.02)


@pytest.mark.parametrize(
    "number, grace, served",
    [(signal.SIGTERM, 20, 6), (signal.SIGINT, 20, 6), (signal.SIGTERM, 0.6, None)],
)
def test_requests_in_flight(number, grace, served):
    with running("-c", SCRIPT.format(grace=grace)) as (process, url):
        with ThreadPoolExecutor(6) as pool:
            futures = [
                pool.submit(httpx.post, f"{url}/fill-mask", json={"texts": [str(i)]},
                            timeout=30)
                for i in range(6)
            ]  # fmt: skip
            wait_for(url, 6)
            process.send_signal(number)
            answers = [one.result() for one in futures]
        assert ended(process) == 0
        assert "Traceback" not in process.log and "Cancel" not in process.log
    fine = [one for one in answers if one.status_code == 200]
    for one in answers:
        if one not in fine:
            assert one.status_code == 503
            assert one.json()["error"]["code"] == "stopping"
    assert len(fine) == served if served else 0 < len(fine) < 6


STREAM = """
import sys
sys.path.insert(0, "tests")
from serving_models import tasks
from bert4keras3.serving import serve
tasks()["generate"].warm_up([8])
serve([tasks()["generate"]], port=0)
"""


def test_a_stream_in_flight_is_finished():
    body = {"texts": ["今天"], "maxlen": 20, "stream": True}
    with running("-c", STREAM) as (process, url):
        with httpx.stream("POST", f"{url}/generate", json=body, timeout=60) as answer:
            process.send_signal(signal.SIGTERM)
            text = answer.read().decode()
        assert ended(process) == 0 and "Traceback" not in process.log
    assert '"done": true' in text


def test_a_taken_port_is_an_error():
    script = "from serving_models import Echo\nfrom bert4keras3.serving import serve\n"
    with running("-c", f"{script}serve([Echo()], port=0)") as (_, url):
        port = url.rsplit(":", 1)[1]
        with pytest.raises(RuntimeError, match="address already in use"):
            with running("-c", f"{script}serve([Echo()], port={port})"):
                pass
