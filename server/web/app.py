"""The application: its parts, routes and sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.websockets import WebSocket
from starlette_compress import CompressMiddleware, add_compress_type

from ..live.admission import Admission
from ..live.browser_socket import serve_browser
from ..live.connection import Refused
from ..live.hub import Hub
from ..live.probe_socket import serve_probe
from ..live.refusal_log import RefusalLog
from ..notify.notifier import Notifiers
from ..protocol.columns import MEDIA_TYPE
from ..protocol.version import VERSION
from ..store.database import Store
from ..store.heatmaps.kept_cells import KeptCells
from .access_log import AccessLog
from .callers import Callers, caller_of
from .dependencies import Parts, parts_of
from .forwarded import Forwarded
from .metrics import CountAnswers, Metrics, answer_counter
from .pages import Pages, add_pages
from .refusals import add_refusals
from .request_limits import BodyLimit
from .routes.table import add_routes
from .security import TOKEN_WANTED, Guard, Policy, wanted_right
from .settings import Settings
from .sign_in import add_sign_in
from .tokens import NOBODY

CELLS = 64 * 2**20
"""Bytes of heat maps that are kept in memory."""


def create_app(settings: Settings) -> FastAPI:
    """Make an application with its store opened; its lifespan runs the rest and closes the store.

    Raises `StoreError` when the store cannot be used, `BadNotification` when events cannot be told
    as the settings have it, `BadTokens` when the file of tokens cannot be used, and `ValueError`
    for an address that wants a token and has none (`security.secured` makes one).
    """
    if not settings.wants_token and not settings.loopback:
        raise ValueError(f"the address {settings.host!r} wants a token and none was given")
    targets = settings.notify.targets()
    store = Store(settings.store or settings.data)
    log = AccessLog()
    policy, callers = Policy(settings), Callers(settings, log)
    pages = Pages()
    refusals, answers = RefusalLog(), answer_counter()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        notifiers = Notifiers(store, targets, settings.notify)
        hub = Hub(
            store,
            settings.lost_after,
            settings.keep,
            settings.thresholds,
            notifiers.notify,
            settings.expire_after,
        )
        notifiers.start()
        metrics = Metrics(hub, store, refusals, answers)
        app.state.parts = Parts(
            store, KeptCells(CELLS), hub, callers, refusals, metrics, pages.markup
        )
        watching = asyncio.create_task(callers.watch_file())
        logging = asyncio.create_task(log.keep_writing(hub.writer))
        try:
            async with hub.running():
                yield
                # It is queued before the writer ends, which waits for a store only so long.
                flushing = asyncio.create_task(log.flush(hub.writer, at_once=True))
                await asyncio.sleep(0)
            await flushing
        finally:
            watching.cancel()
            logging.cancel()
            await run_in_threadpool(notifiers.close)
            store.close()

    app = FastAPI(
        title="Gradgate", version=VERSION, lifespan=lifespan, docs_url=None, redoc_url=None
    )
    add_routes(app)
    _add_sockets(app)
    add_pages(app, pages)
    add_sign_in(app, pages, callers, log)
    add_refusals(app, pages)
    app.add_middleware(BodyLimit)
    for each in (MEDIA_TYPE, "text/csv"):
        add_compress_type(each)
    # No answer holds the token or a cookie, so that its length tells nothing of them.
    app.add_middleware(CompressMiddleware)
    app.add_middleware(
        Guard, policy=policy, callers=callers, pages=pages, refusals=refusals, log=log
    )
    app.add_middleware(Forwarded, proxies=settings.proxies, users=settings.users)
    app.add_middleware(CountAnswers, answers=answers)
    return app


def _add_sockets(app: FastAPI) -> None:
    @app.websocket("/api/ingest")
    async def ingest(websocket: WebSocket) -> None:
        parts = parts_of(websocket)
        with _admitted(websocket) as admission:
            await serve_probe(websocket, parts.hub, admission, parts.refusals)

    @app.websocket("/api/runs/{run}/live")
    async def live(websocket: WebSocket, run: str) -> None:
        parts = parts_of(websocket)
        with _admitted(websocket) as admission:
            await serve_browser(websocket, parts.hub, parts.store, run, admission, parts.refusals)


def _admitted(websocket: WebSocket) -> AbstractContextManager[Admission]:
    """Admit a socket by what the guard has found out of its caller."""
    caller = caller_of(websocket.scope) or NOBODY
    refusal = TOKEN_WANTED if caller is NOBODY else caller.refusal(wanted_right(websocket.scope))
    refused = None if refusal is None else Refused(refusal, reason="token")
    return parts_of(websocket).callers.sockets.admitted(caller, refused)
