"""Service: tasks, batcher, limits and metrics of one server, without the web."""

import asyncio
import logging

from bert4keras3.serving.batcher import DONE, Batcher
from bert4keras3.serving.limits import Limits, Refusal, busy
from bert4keras3.serving.metrics import Metrics

log = logging.getLogger("bert4keras3.serving")

# How a server is started that has the endpoint.
ADVICE = {
    "fill-mask": "`bert4keras3 serve MODEL`, MODEL with a masked-LM head",
    "similar": "`bert4keras3 serve MODEL`, MODEL an encoder",
    "generate": "`bert4keras3 serve MODEL --application unilm` (or lm; T5, GPT and "
    "their like need neither)",
    "classify": "`bert4keras3 serve --classifier MODEL.keras --tokenizer FOLDER`",
}


class Service:
    """What answers requests: `await service.answer("classify", ["..."])`.

    tasks: list of tasks, one of a kind; limits: Limits; max_batch: texts of a model
    call, default the smallest batch_size of the tasks; max_wait: seconds that a text
    waits for others. Raises ValueError for no task or two of a kind.
    """

    def __init__(self, tasks, limits=None, max_batch=None, max_wait=0.005):
        self.tasks = {one.name: one for one in tasks}
        if not tasks or len(self.tasks) < len(tasks):
            raise ValueError(
                "A server needs tasks, one of each kind. Received: "
                f"{[one.name for one in tasks]}"
            )
        self.limits, self.metrics = limits or Limits(), Metrics()
        sizes = [getattr(one, "batch_size", 1) for one in tasks]
        self.batcher = Batcher(
            max_batch or min(sizes),
            max_wait,
            self.limits.queue,
            self.limits.streams,
            self.metrics.batch,
        )

    def task(self, name):
        """The task of an endpoint; a Refusal (404) that says how to get it."""
        if name not in self.tasks:
            raise Refusal(
                404,
                "unavailable",
                f"This server has no /{name}. Start it with {ADVICE[name]}.",
            )
        return self.tasks[name]

    async def answer(self, task, items, settings=()):
        """The results of a request; a Refusal when there are none."""
        future = asyncio.wrap_future(self.batcher.submit(task, items, settings))
        await asyncio.wait([future], timeout=self.limits.timeout)
        if not future.done():
            future.cancel()  # it need not run any more
            raise self._late()
        error = future.exception()
        if error is not None:
            raise refusal_of(error)
        return future.result()

    async def pieces(self, task, item, settings):
        """Yield the pieces of a streamed answer; a Refusal may come at any time.

        The timeout is that of each piece.
        """
        loop, queue = asyncio.get_running_loop(), asyncio.Queue()

        def emit(piece):
            try:
                loop.call_soon_threadsafe(queue.put_nowait, piece)
            except RuntimeError:
                stream.cancelled = True  # the loop is closed, nobody listens

        stream = self.batcher.stream(task, item, settings, emit)
        try:
            while True:
                piece = await asyncio.wait_for(queue.get(), self.limits.timeout)
                if piece is DONE:
                    return
                if isinstance(piece, BaseException):
                    raise refusal_of(piece)
                yield piece
        except asyncio.TimeoutError as error:
            raise self._late() from error
        finally:
            stream.cancelled = True

    def _late(self):
        return busy(
            "timeout", f"No answer within {self.limits.timeout:g} s: try again."
        )

    def health(self):
        """The JSON of /health."""
        stopping = self.batcher.deadline is not None
        limits = self.limits
        return {
            "status": "stopping" if stopping else "ok",
            "tasks": list(self.tasks),
            "limits": {
                "body_bytes": limits.body_bytes,
                "texts": limits.texts,
                "characters": limits.characters,
                "new_tokens": limits.new_tokens,
                "answers": limits.answers,
            },
        }

    def metrics_text(self):
        """The page of /metrics."""
        batcher = self.batcher
        return self.metrics.text(
            queue_items=batcher.waiting, streams=len(batcher.streams)
        )


def refusal_of(error):
    """What a client is told of an error; what is our fault goes to the log."""
    if isinstance(error, Refusal):
        return error
    log.error("A request failed.", exc_info=error)
    return Refusal(500, "internal", "The model failed; the server's log says why.")
