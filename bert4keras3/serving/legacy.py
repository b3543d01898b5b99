"""WebServing: bert4keras's way to put a function on the web."""

import json
from importlib import import_module

from bert4keras3.serving.batcher import Batcher
from bert4keras3.serving.server import needed, run


class _Call:
    """The task of one route: a function of keyword arguments, one call at a time."""

    def __init__(self, name, function, arguments):
        self.name, self.function, self.arguments = name, function, arguments

    def prepare(self, item, settings):
        """The arguments that were given, converted."""
        return {
            name: converter(item[name]) if converter else item[name]
            for name, (converter, _) in self.arguments.items()
            if name in item
        }

    def results(self, samples, settings):
        values = [self.function(**one) for one in samples]
        json.dumps(values, allow_nan=False)  # raises here, where errors are told
        return values


class WebServing:
    """Functions as routes that answer {"code", "desc", "data"}.

    host, port: to listen at; server: bert4keras named one of bottle's here, uvicorn
    is what serves now, whatever the name. All functions run in one thread, one call
    at a time, so that they may use a model. Needs fastapi and uvicorn.

        web = WebServing(port=8864)
        web.route("/similar", similar, {"text": (None, True), "n": (int, False)})
        web.start()
    """

    def __init__(self, host="0.0.0.0", port=8000, server="paste"):
        needed("fastapi")
        legacy = import_module("bert4keras3.serving.legacy_app")
        self.host, self.port, self.server = host, port, server
        self.batcher = Batcher(max_batch=1, max_wait=0.0)
        self.app = legacy.build_app(self.batcher)
        self._add = legacy.add_route

    def route(self, path, func, arguments, method="GET"):
        """Serve `func` at a path.

        arguments: {name: (converter or None, whether it is required)}; method: "GET",
        with the arguments in the query, or "POST", in a form or a JSON object. Code 0
        is an answer, its data what func returns; 1, an argument is missing; 2, desc
        is the text of an exception. Raises ValueError for another method.
        """
        if method not in ("GET", "POST"):
            raise ValueError(f"method must be 'GET' or 'POST'. Received: {method!r}")
        self._add(self.app, self.batcher, _Call(path, func, arguments), method)

    def start(self):
        """Serve until SIGTERM or SIGINT."""
        run(self.app, self.host, self.port, self.batcher)
