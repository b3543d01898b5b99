"""The server under load, under attack, and told to stop in the middle of it.

    python benchmarks/serving.py --seconds 60 --clients 64

Starts `bert4keras3 serve` in a process of its own, with zh-tiny as "unilm" and a small
classifier: fill-mask, similar, generate (some streamed) and classify. 64 clients ask
without a pause, then come oversized, malformed and non-UTF-8 bodies, then SIGTERM with
64 requests in flight. Exits with 1 if anything fails that should not. Needs
`pip install -e ".[serve]" httpx`.
"""

import argparse
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")  # Keras reads it when imported

import httpx
import keras
import numpy as np

from bert4keras3.layers import Dense, FirstToken
from bert4keras3.models import build_transformer_model

SENTENCES = (
    "今天天气很好，我们去公园玩。",
    "科学技术是第一生产力。",
    "这家酒店的房间很干净，服务也不错，下次还会再来。",
    "手机屏幕有坏点，客服一直不理人，差评。",
    "中国的首都是北京。",
    "请问怎么开通手机银行？我在网上没有找到办法，打电话也没有人接。",
)
PAIR = ("怎么开通手机银行", "手机银行如何开通")


def request_of(generator):
    """(endpoint, body) as some client may send it."""
    text = generator.choice(SENTENCES)
    kind = generator.choice(["fill-mask", "classify", "similar", "generate", "stream"])
    if kind == "fill-mask":
        place = generator.randrange(len(text))
        return kind, {"texts": [f"{text[:place]}[MASK]{text[place + 1 :]}"]}
    if kind == "classify":
        return kind, {"texts": [text, list(PAIR)]}
    if kind == "similar":
        return kind, {"texts": [text], "candidates": list(SENTENCES)}
    body = {"texts": [text], "maxlen": 16, "topp": 0.9, "seed": generator.randrange(99)}
    return "generate", {**body, "stream": kind == "stream"}


def save_classifier(path):
    bert = build_transformer_model("zh-tiny")
    head = Dense(2, activation="softmax")(FirstToken()(bert.output))
    keras.Model(bert.inputs, head).save(path)


def started(folder, extra):
    """(process, address) of a server that is warm."""
    path = Path(folder) / "classifier.keras"
    save_classifier(path)
    command = [
        *(sys.executable, "-m", "bert4keras3", "serve", "zh-tiny"),
        *("--application", "unilm", "--classifier", path, "--labels", "差评,好评"),
        *("--port", "0", "--warm-up", "32", "64", "--streams", "64", *extra),
    ]
    root = str(Path(__file__).resolve().parents[1])
    process = subprocess.Popen(
        [str(one) for one in command],
        env={**os.environ, "PYTHONPATH": root},
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    log, address = [], None
    for line in process.stderr:
        log.append(line)
        print(" ", line, end="")
        if found := re.search(r"running on (http://\S+)", line):
            address = found.group(1)
            break
    process.log = log
    if address is None:
        sys.exit("the server did not start")
    # What it writes is read on, or its pipe would fill up.
    process.reader = threading.Thread(
        target=lambda: log.extend(process.stderr), daemon=True
    )
    process.reader.start()
    return process, address


def warm(address):
    """The settings of generation that the load has: `--warm-up` knows greedy alone."""
    start = time.time()
    for text in (min(SENTENCES, key=len), max(SENTENCES, key=len)):
        body = {"texts": [text], "maxlen": 16, "topp": 0.9}
        for more in (
            {"stream": True},
            *({"stream": False, "texts": [text] * n} for n in (1, 8, 32)),
        ):
            answer = httpx.post(
                f"{address}/generate", json={**body, **more}, timeout=99
            )
            answer.raise_for_status()
    print(f"sampling compiled in {time.time() - start:.0f} s")


def load(address, clients, seconds):
    """Ask with so many clients at once: {endpoint: [seconds]} and [errors]."""
    end, latencies, errors = time.time() + seconds, defaultdict(list), []

    def client(number):
        generator = random.Random(number)
        with httpx.Client(base_url=address, timeout=60) as session:
            while time.time() < end:
                endpoint, body = request_of(generator)
                start = time.perf_counter()
                try:
                    answer = session.post(f"/{endpoint}", json=body)
                    fine = answer.status_code == 200 and "error" not in answer.text
                    told = answer.text
                except httpx.HTTPError as error:
                    fine, told = False, repr(error)
                if not fine:
                    errors.append((endpoint, told))
                kind = "generate, streamed" if body.get("stream") else endpoint
                latencies[kind].append(time.perf_counter() - start)

    threads = [threading.Thread(target=client, args=(i,)) for i in range(clients)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return latencies, errors


def report(address, latencies, errors, seconds):
    total = sum(map(len, latencies.values()))
    print(f"{total} requests, {total / seconds:.0f} a second, {len(errors)} errors")
    for endpoint, values in sorted(latencies.items()):
        p50, p95, p99 = np.percentile(values, [50, 95, 99]) * 1000
        worst = max(values) * 1000
        print(
            f"  {endpoint:18} {len(values):6}  p50 {p50:5.0f}  p95 {p95:5.0f}  "
            f"p99 {p99:5.0f}  worst {worst:5.0f} ms"
        )
    text = httpx.get(f"{address}/metrics").text
    for task in ("classify", "fill-mask", "generate", "similar"):
        found = [
            float(re.search(rf'batch_items_{x}{{task="{task}"}} (\S+)', text)[1])
            for x in ("sum", "count")
        ]
        print(f"  {task:18} mean batch {found[0] / found[1]:.1f} texts")
    return not errors


def attack(address):
    """Bodies that are wrong, each to each endpoint: all must be 4xx, in JSON."""
    texts = b'{"texts": ["a"]}'
    bodies = {
        "oversized": b'{"texts": ["' + b"a" * 5_000_000 + b'"]}',
        "too long a text": b'{"texts": ["' + b"a" * 50_000 + b'"]}',
        "too many texts": b'{"texts": [' + b'"a",' * 999 + b'"a"]}',
        "cut off": texts[:-3],
        "empty": b"",
        "not UTF-8": b'{"texts": ["\xff\xfe"]}',
        "GBK": '{"texts": ["今天"]}'.encode("gbk"),
        "UTF-16": texts.decode().encode("utf-16"),
        "NaN": b'{"texts": ["a"], "topk": NaN}',
        "deep": b"[" * 100_000,
        "wrong type": b'{"texts": [1]}',
        "unknown field": b'{"texts": ["a"], "x": 1}',
    }
    statuses, wrong = Counter(), []
    headers = {"Content-Type": "application/json"}
    for name, body in bodies.items():
        for endpoint in ("fill-mask", "classify", "similar", "generate"):
            for content in (body, iter([body])):  # with its length, and in chunks
                answer = httpx.post(
                    f"{address}/{endpoint}", content=content, headers=headers
                )
                statuses[answer.status_code] += 1
                told = answer.headers["content-type"] == "application/json"
                fine = told and answer.json()["error"]["message"]
                if not (400 <= answer.status_code < 500 and fine):
                    wrong.append((name, endpoint, answer.status_code))
    print(f"bad bodies: {dict(statuses)}, not refused: {wrong or 'none'}")
    return not wrong


def stop(process, address, clients):
    """SIGTERM with a request of every client in flight."""
    statuses, failed = Counter(), []
    # One for all: to make one takes longer than an answer.
    unlimited = httpx.Limits(max_connections=None)
    session = httpx.Client(base_url=address, timeout=60, limits=unlimited)

    def client(number):
        body = {"texts": [SENTENCES[number % 6]] * 4, "maxlen": 32, "topp": 0.9}
        if number % 4 == 0:
            body.update(texts=body["texts"][:1], stream=True)
        try:
            answer = session.post("/generate", json=body)
        except httpx.HTTPError as error:
            failed.append(repr(error))
            return
        statuses[answer.status_code] += 1
        whole = not body.get("stream") or '"done": true' in answer.text
        whole = whole or '"stopping"' in answer.text
        if answer.status_code not in (200, 503) or not whole:
            failed.append(answer.text[:200])

    threads = [threading.Thread(target=client, args=(i,)) for i in range(clients)]
    for one in threads:
        one.start()
    count = 0
    while count < clients:  # this request is in flight too
        text = session.get("/metrics").text
        count = int(re.search(r"requests_in_flight (\d+)", text)[1]) - 1
        if not any(one.is_alive() for one in threads):
            break
    process.send_signal(signal.SIGTERM)
    start = time.time()
    for one in threads:
        one.join()
    status = process.wait(60)
    process.reader.join()
    traceback = any("Traceback" in line for line in process.log)
    print(
        f"SIGTERM with {count} in flight: {dict(statuses)}, failed: "
        f"{failed or 'none'}, exit status {status} after {time.time() - start:.1f} s"
        + (", with a traceback" if traceback else "")
    )
    if traceback:
        print("".join(process.log[-40:]))
    return not failed and status == 0 and not traceback and count > 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("server", nargs="*", help="further arguments of the server")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        process, address = started(folder, arguments.server)
        try:
            warm(address)
            measured = load(address, arguments.clients, arguments.seconds)
            fine = [report(address, *measured, arguments.seconds)]
            for endpoint, told in measured[1][:5]:
                print(f"  {endpoint}: {told[-200:]}")
            fine.append(attack(address))
            fine.append(stop(process, address, arguments.clients))
        finally:
            process.kill()
    sys.exit(0 if all(fine) else 1)


if __name__ == "__main__":
    main()
