"""Concurrent requests become few calls in one thread; a bad one hurts nobody else."""

import queue
import threading
import time

import pytest
from serving_models import Echo

from bert4keras3.serving import Batcher, Limits, Refusal
from bert4keras3.serving.batcher import DONE


@pytest.fixture
def batcher():
    made = Batcher(max_batch=8, max_wait=0.05, max_queue=20, max_streams=2)
    yield made
    made.close()


def texts(future):
    return [one["text"] for one in future.result(10)]


def test_requests_of_many_threads_run_together(batcher):
    echo, found = Echo(), {}

    def ask(i):
        found[i] = texts(batcher.submit(echo, [f"{i}a", f"{i}b"]))

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert found == {i: [f"{i}a", f"{i}b"] for i in range(8)}
    assert len(echo.calls) < 5 and len(echo.threads) == 1
    assert all(len(samples) <= 8 for samples, _ in echo.calls)


def test_a_full_batch_does_not_wait():
    batcher = Batcher(max_batch=4, max_wait=60)
    start = time.monotonic()
    assert texts(batcher.submit(Echo(), list("abcd"))) == list("abcd")
    assert time.monotonic() - start < 10
    batcher.close()


def test_other_settings_are_another_batch(batcher):
    echo = Echo()
    futures = [batcher.submit(echo, ["x"], settings) for settings in (1, 2, 1, 2)]
    assert [texts(one) for one in futures] == [["x"]] * 4
    assert sorted(echo.calls) == [(["x", "x"], 1), (["x", "x"], 2)]


def test_a_bad_item_is_its_own_request_s_concern(batcher):
    futures = [batcher.submit(Echo(), items) for items in (["a"], ["b", ""], ["c"])]
    assert (texts(futures[0]), texts(futures[2])) == (["a"], ["c"])
    with pytest.raises(Refusal, match="empty") as refused:
        futures[1].result(10)
    assert refused.value.status == 422


def test_the_thread_survives_a_broken_call(batcher):
    with pytest.raises(RuntimeError, match="broke"):
        batcher.submit(Echo(), ["broken"]).result(10)
    assert texts(batcher.submit(Echo(), ["fine"])) == ["fine"]


def test_a_full_queue_refuses(batcher):
    echo = Echo()
    echo.go.clear()
    first = batcher.submit(echo, ["first"])
    while not echo.calls:
        time.sleep(0.001)
    waiting = [batcher.submit(echo, ["x"] * 10) for _ in range(2)]
    assert batcher.waiting == 20
    with pytest.raises(Refusal, match="wait") as refused:
        batcher.submit(echo, ["y"])
    assert refused.value.status == 503 and refused.value.headers()["Retry-After"]
    waiting[1].cancel()
    echo.go.set()
    assert texts(first) == ["first"] and texts(waiting[0]) == ["x"] * 10
    assert len(echo.calls) == 2  # what nobody waits for any more is not run


def test_streams_and_batches_take_turns(batcher):
    echo, pieces = Echo(0.001), queue.Queue()
    for name in "ab":
        batcher.stream(echo, name * 200, (), pieces.put)
    with pytest.raises(Refusal, match="stream"):
        batcher.stream(echo, "c", (), pieces.put)
    assert texts(batcher.submit(echo, ["between"])) == ["between"]
    said = [pieces.get(timeout=10) for _ in range(402)]
    assert said.count(DONE) == 2 and said.count("a") == said.count("b") == 200
    assert "ab" in "".join(said[:6]) and len(echo.threads) == 1
    assert echo.calls.index((["between"], ())) < len(echo.calls) - 1


def test_a_cancelled_stream_ends(batcher):
    echo, pieces = Echo(), queue.Queue()
    stream = batcher.stream(echo, "x" * 10**6, (), pieces.put)
    pieces.get(timeout=10)
    stream.cancelled = True
    texts(batcher.submit(echo, ["next"]))
    assert not batcher.streams and len(echo.calls) < 10**6


def test_an_end_with_grace_finishes_what_waits():
    batcher, echo = Batcher(max_batch=1, max_wait=0), Echo(0.05)
    futures = [batcher.submit(echo, [str(i)]) for i in range(4)]
    batcher.close(grace=10)
    assert [one.result(0)[0]["text"] for one in futures] == list("0123")
    with pytest.raises(Refusal, match="stopping"):
        batcher.submit(echo, ["late"])


def test_an_end_without_grace_refuses_what_waits():
    batcher, echo, pieces = Batcher(max_batch=1, max_wait=0), Echo(), queue.Queue()
    echo.go.clear()
    futures = [batcher.submit(echo, [str(i)]) for i in range(3)]
    while not echo.calls:
        time.sleep(0.001)
    batcher.stream(echo, "abc", (), pieces.put)
    batcher.stop()
    for one in futures:  # the first is with the model, which does not answer
        with pytest.raises(Refusal, match="stopped"):
            one.result(10)
    echo.go.set()
    batcher.close()
    assert len(echo.calls) == 1 and not batcher.thread.is_alive()
    said = [pieces.get(timeout=10) for _ in range(pieces.qsize())]
    assert isinstance(said[-1], Refusal) and said[-1].status == 503


def test_limits_and_sizes_are_checked():
    with pytest.raises(ValueError, match="positive"):
        Limits(timeout=0)
    with pytest.raises(ValueError, match="queue=8"):
        Limits(queue=8)
    with pytest.raises(ValueError, match="max_batch=0"):
        Batcher(max_batch=0)
