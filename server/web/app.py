"""The application: its parts, routes and answers to what goes wrong."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.exception_handlers import http_exception_handler
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.websockets import WebSocket

from ..live.browser_socket import serve_browser
from ..live.hub import Hub
from ..live.probe_socket import serve_probe
from ..protocol.version import VERSION
from ..store.database import Store
from ..store.runs import Refusal
from ..store.writer import WriterEnded
from . import rest
from .pages import Pages, add_pages
from .parts import Parts, parts_of
from .request_limits import BodyLimit
from .security import TOKEN_WANTED, Guard, Policy
from .settings import Settings


def create_app(settings: Settings) -> FastAPI:
    """Make an application with its store opened; its lifespan runs the rest and closes the store.

    Raises `StoreError` when the store cannot be used, and `ValueError` for an address that wants a
    token and has none (`security.secured` makes one).
    """
    if settings.token is None and not settings.loopback:
        raise ValueError(f"the address {settings.host!r} wants a token and none was given")
    store = Store(settings.data)
    policy = Policy(settings)
    pages = Pages()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        hub = Hub(store, settings.lost_after)
        app.state.parts = Parts(store, hub, policy)
        try:
            async with hub.running():
                yield
        finally:
            store.close()

    app = FastAPI(
        title="Gradgate", version=VERSION, lifespan=lifespan, docs_url=None, redoc_url=None
    )
    app.include_router(rest.router)
    app.include_router(rest.health_router)
    _add_sockets(app)
    add_pages(app, pages)
    _add_error_answers(app, pages)
    app.add_middleware(BodyLimit)
    app.add_middleware(Guard, policy=policy, page_error=pages.error)
    return app


def _add_sockets(app: FastAPI) -> None:
    @app.websocket("/api/ingest")
    async def ingest(websocket: WebSocket) -> None:
        parts = parts_of(websocket)
        await serve_probe(websocket, parts.hub, _denied(websocket, parts))

    @app.websocket("/api/runs/{run}/live")
    async def live(websocket: WebSocket, run: str) -> None:
        parts = parts_of(websocket)
        await serve_browser(websocket, parts.hub, parts.store, run, _denied(websocket, parts))


def _denied(websocket: WebSocket, parts: Parts) -> str | None:
    return None if parts.policy.admits(websocket) else TOKEN_WANTED


def _add_error_answers(app: FastAPI, pages: Pages) -> None:
    def answer(request: Request, status: int, title: str, message: str) -> Response:
        if request.url.path.startswith("/api/") or request.url.path == "/healthz":
            return JSONResponse({"detail": message}, status)
        return pages.error(status, title, message)

    @app.exception_handler(Refusal)
    async def refused(request: Request, refusal: Refusal) -> Response:
        return answer(request, refusal.status, refusal.title, str(refusal))

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        # What was given stays out of the answer: NaN or half a character could not be written.
        faults = [
            {name: fault[name] for name in ("type", "loc", "msg")} for fault in error.errors()
        ]
        return Response(json.dumps({"detail": faults}), 422, media_type="application/json")

    @app.exception_handler(WriterEnded)
    @app.exception_handler(SQLAlchemyError)
    async def store_failed(request: Request, _: SQLAlchemyError | WriterEnded) -> Response:
        message = "The store cannot be read or written: see GET /healthz, and try again."
        return answer(request, 503, "The store fails", message)

    @app.exception_handler(HTTPException)
    async def failed(request: Request, error: HTTPException) -> Response:
        if error.status_code == 404 and error.detail == "Not Found":
            message = f"There is nothing at {request.url.path}: the list of runs is at / ."
            return answer(request, 404, "Not found", message)
        return await http_exception_handler(request, error)
