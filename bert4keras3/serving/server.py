"""Running the application: `create_app` for servers of one's own, and `serve`."""

import contextlib
import signal
import threading
from importlib import import_module

from bert4keras3.serving.service import Service

WAIT = 5  # seconds behind the grace, for answers on their way


def needed(package):
    """The package of that name; an ImportError that says how to get it."""
    try:
        return import_module(package)
    except ImportError as error:
        raise ImportError(
            f"Serving needs the package {package}: pip install 'bert4keras3[serve]', "
            "or pip install fastapi uvicorn."
        ) from error


def create_app(tasks, limits=None, max_batch=None, max_wait=0.005):
    """A FastAPI application that serves tasks, for an ASGI server of your own.

    tasks: list of FillMask, Classify, Similar, Generate, at most one of each; limits:
    Limits; max_batch: texts of a model call; max_wait: seconds that a text waits for
    others. Its state holds the Service: `app.state.service`. One process has one
    model: run it with one worker. Raises ImportError without fastapi.
    """
    needed("fastapi")
    service = Service(tasks, limits, max_batch, max_wait)
    app = import_module("bert4keras3.serving.app").build_app(service)
    app.state.service = service
    return app


def serve(tasks, host="127.0.0.1", port=8000, **options):
    """Serve tasks until SIGTERM or SIGINT, then finish what is in flight.

    options: of `create_app`. Requests in flight are answered, within limits.grace
    seconds, or told 503; then the call returns. Raises ImportError without fastapi
    and uvicorn.
    """
    app = create_app(tasks, **options)
    run(app, host, port, app.state.service.batcher, app.state.service.limits.grace)


def run(app, host, port, batcher, grace=20.0):
    """Run an ASGI application whose requests a Batcher answers; see `serve`."""
    uvicorn = needed("uvicorn")

    class Server(uvicorn.Server):
        """Tells the batcher to stop before it waits for its answers."""

        async def shutdown(self, sockets=None):
            batcher.stop(grace)
            await super().shutdown(sockets)

    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        access_log=False,
        ws="none",
        server_header=False,
        timeout_graceful_shutdown=int(grace) + WAIT,
    )
    server = Server(config)
    with _stopped_by_signals(server):
        server.run()


@contextlib.contextmanager
def _stopped_by_signals(server):
    """Let SIGTERM and SIGINT end `server`, and nothing else.

    uvicorn raises a signal again when it is done, for the handlers of before: with
    Python's own, a clean end would be a death by SIGTERM.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number, frame):
        server.should_exit = True

    before = {one: signal.signal(one, stop) for one in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
