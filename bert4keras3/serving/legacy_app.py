"""The web application of WebServing. Needs fastapi."""

import asyncio
import contextlib
import json
from urllib.parse import parse_qsl

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from bert4keras3.serving.limits import Limits, Refusal


def build_app(batcher):
    """An application without routes, which closes the batcher when it ends."""

    @contextlib.asynccontextmanager
    async def lifespan(app):
        yield
        await asyncio.to_thread(batcher.close)

    return FastAPI(title="WebServing", docs_url=None, redoc_url=None, lifespan=lifespan)


def add_route(app, batcher, task, method):
    """Serve a task of keyword arguments at the path that is its name."""

    async def handle(request: Request):
        try:
            given = await _given(request, method)
            missing = [
                name
                for name, (_, required) in task.arguments.items()
                if required and name not in given
            ]
            if missing:
                return _reply(1, f"missing argument: {', '.join(missing)}")
            future = batcher.submit(task, [given], object())
        except (ValueError, Refusal) as error:
            return _reply(2, str(error))
        future = asyncio.wrap_future(future)
        await asyncio.wait([future])
        error = future.exception()
        if error is not None:
            return _reply(2, str(error))
        return _reply(0, "success", future.result()[0])

    app.add_api_route(task.name, handle, methods=[method], name=task.name)


async def _given(request, method):
    """The arguments of a request by name; empty ones do not count."""
    if method == "GET":
        given = dict(request.query_params)
    else:
        given = _decoded(request, bytes(await _content(request)))
    return {name: value for name, value in given.items() if value not in ("", None)}


async def _content(request):
    content, most = bytearray(), Limits().body_bytes
    async for chunk in request.stream():
        content += chunk
        if len(content) > most:
            raise ValueError(f"a body may have {most} bytes")
    return content


def _decoded(request, content):
    if "json" not in request.headers.get("content-type", ""):
        return dict(parse_qsl(content.decode("utf-8"), keep_blank_values=True))
    given = json.loads(content.decode("utf-8"))
    if not isinstance(given, dict):
        raise ValueError("the body must be a JSON object")
    return given


def _reply(code, text, data=None):
    content = {"code": code, "desc": text}
    return JSONResponse({**content, "data": data} if code == 0 else content)
