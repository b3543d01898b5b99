"""docs/serving.md shows code that runs, and names what exists."""

import json
import re
from pathlib import Path

import pytest

from bert4keras3.serving.command import LIMITS

pytest.importorskip("fastapi")
pytest.importorskip("httpx")

from fastapi.testclient import TestClient

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs/serving.md").read_text("utf-8")


@pytest.mark.slow
def test_the_python_and_the_requests_work():
    names = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.S):
        exec(block, names)
    assert names["filled"][0]["text"].startswith("今天天")
    requests = re.findall(r"8000(/\S+) \\\n\s+-d '(.*?)'\n", PAGE)
    assert len(requests) == 5
    with TestClient(names["app"]) as client:
        for path, body in requests:
            answer = client.post(path, json=json.loads(body))
            assert answer.status_code == (404 if path == "/classify" else 200)


def test_the_page_names_every_limit():
    told = re.findall(r"`--([a-z-]+)`", PAGE)
    assert {name.replace("_", "-") for name in LIMITS} <= set(told)
