"""The web application: FastAPI over a Service. Needs fastapi.

Reference: https://fastapi.tiangolo.com
"""

import asyncio
import contextlib
import json
import time
from importlib.resources import files

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse
from fastapi.responses import StreamingResponse as Streaming
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from bert4keras3.serving.bodies import BODIES, parsed
from bert4keras3.serving.limits import Refusal
from bert4keras3.serving.service import refusal_of

# The page brings everything along, and nothing of others may run in it.
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_STATUS_CODES = {404: "not_found", 405: "method_not_allowed"}


def build_app(service):
    """The FastAPI application of a Service; closes it when the server ends."""

    @contextlib.asynccontextmanager
    async def lifespan(app):
        yield
        await asyncio.to_thread(service.batcher.close)

    app = FastAPI(
        title="bert4keras3",
        docs_url=None,  # the pages of these two come from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    _handle_errors(app)
    page = (files("bert4keras3.serving") / "page.html").read_text("utf-8")

    @app.get("/", response_class=HTMLResponse)
    async def index():
        return HTMLResponse(page, headers={"Content-Security-Policy": _POLICY})

    @app.get("/health")
    async def health():
        return service.health()

    @app.get("/metrics", response_class=PlainTextResponse)
    async def metrics():
        return PlainTextResponse(
            service.metrics_text(), media_type="text/plain; version=0.0.4"
        )

    for name, cls in BODIES.items():
        schema = {"application/json": {"schema": cls.model_json_schema()}}
        app.post(
            f"/{name}",
            name=name,
            openapi_extra={"requestBody": {"content": schema, "required": True}},
        )(_endpoint(service, name, cls))
    app.add_middleware(_Measured, service=service)
    return app


def _endpoint(service, name, cls):
    """The handler of POST /name."""

    async def handle(request: Request):
        task = service.task(name)
        body = parsed(cls, await read_body(request, service.limits))
        body.check(service.limits)
        items, settings = body.items(), body.settings()
        if getattr(body, "stream", False):
            pieces = service.pieces(task, items[0], settings)
            # What is wrong with the request shows before the first piece.
            first = await anext(pieces)
            headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
            return Streaming(
                _events(first, pieces), media_type="text/event-stream", headers=headers
            )
        return JSONResponse(
            body.answer(task, await service.answer(task, items, settings))
        )

    return handle


async def read_body(request, limits):
    """The bytes of a request; a Refusal for another type, too many or too slow ones."""
    kind, _, options = request.headers.get("content-type", "").partition(";")
    charset = options.strip().lower().removeprefix("charset=").strip('"')
    if kind.strip().lower() != "application/json" or charset not in ("", "utf-8"):
        raise Refusal(
            415, "unsupported_type", "Send Content-Type: application/json, in UTF-8."
        )
    if request.headers.get("content-encoding", "identity") != "identity":
        raise Refusal(415, "unsupported_type", "Send the body without an encoding.")
    try:
        return await asyncio.wait_for(_gathered(request, limits), limits.timeout)
    except asyncio.TimeoutError as error:
        raise Refusal(408, "slow_body", "The body did not arrive in time.") from error
    except ClientDisconnect as error:
        raise Refusal(400, "disconnected", "The body did not arrive.") from error


async def _gathered(request, limits):
    told = request.headers.get("content-length", "0")
    content, most = bytearray(), limits.body_bytes
    if told.isdecimal() and int(told) <= most:
        async for chunk in request.stream():
            content += chunk
            if len(content) > most:
                break
        else:
            return bytes(content)
    raise Refusal(413, "body_too_large", f"A body may have {most} bytes.")


async def _events(first, rest):
    """Server-sent events of the pieces; an error is the last of them."""
    try:
        yield _event(first)
        async for piece in rest:
            yield _event(piece)
    except Refusal as error:
        yield _event(error.body())
    finally:
        await rest.aclose()


def _event(value):
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n"


def _handle_errors(app):
    """Every error is JSON: {"error": {"code", "message"}}."""

    def told(error):
        return JSONResponse(error.body(), error.status, error.headers())

    async def on_refusal(request, error):
        return told(error)

    async def on_http(request, error):
        code = _STATUS_CODES.get(error.status_code, "http_error")
        refusal = Refusal(error.status_code, code, str(error.detail))
        return JSONResponse(refusal.body(), refusal.status, error.headers)

    async def on_error(request, error):
        return told(refusal_of(error))

    app.add_exception_handler(Refusal, on_refusal)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(Exception, on_error)


class _Measured:
    """ASGI middleware: counts requests and how long they took."""

    def __init__(self, app, service):
        self.app, self.metrics = app, service.metrics

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status, start = 499, time.perf_counter()  # 499: the client went away

        async def watched(message):
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        self.metrics.begin()
        try:
            await self.app(scope, receive, watched)
        finally:
            path = scope["path"].strip("/")
            known = path in BODIES or path in ("", "health", "metrics")
            endpoint = f"/{path}" if known else "other"
            self.metrics.end(endpoint, status, time.perf_counter() - start)
