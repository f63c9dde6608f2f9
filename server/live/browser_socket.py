"""The WebSocket of a browser (docs/protocol.md, section 2)."""

from __future__ import annotations

import asyncio
import logging

from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.websockets import WebSocket, WebSocketDisconnect

from ..protocol.alerts import Alert
from ..protocol.browser_messages import (
    AlertsChanged,
    CommandsChanged,
    ExplanationsChanged,
    GatesChanged,
    NewMetrics,
    ParametersChanged,
    RunChanged,
)
from ..protocol.commands.row import CommandRow
from ..protocol.gates import GateRow
from ..protocol.models import Message
from ..protocol.runs import RunRow
from ..store.alerts import alert_rows
from ..store.database import Store
from ..store.gates import gate_rows
from ..store.ledger import command_rows
from ..store.refusals import UnknownRun
from ..store.runs import run_row
from .connection import Refused
from .hub import Hub
from .subscriber import COMMANDS, Pending, Subscriber
from .tasks import first_to_end

RUN_AT_MOST_EVERY = 0.5
RUN_AT_LEAST_EVERY = 2.0

_log = logging.getLogger("gradgate.server")


async def serve_browser(
    websocket: WebSocket, hub: Hub, store: Store, run: str, denied: str | None
) -> None:
    """Send a browser what happens in a run until it goes; `denied` is why it may not, if so."""
    await websocket.accept()
    try:
        if denied is not None:
            raise Refused(denied)
        with hub.browser(run) as subscriber:
            feed = _Feed(websocket, store, run, subscriber)
            await first_to_end(feed.send(), _drain(websocket))
    except (Refused, UnknownRun) as refused:
        await websocket.close(1008, reason=_short(str(refused)))
    except SQLAlchemyError as error:
        _log.error("The store cannot be read for a browser of run %s: %s", run, error)
        reason = "The store cannot be read: see GET /healthz, and load the page again."
        await websocket.close(1011, reason=reason)
    except WebSocketDisconnect:
        return


class _Feed:
    """What one browser is sent, in the order of its arrival, as fast as the browser reads."""

    def __init__(
        self, websocket: WebSocket, store: Store, run: str, subscriber: Subscriber
    ) -> None:
        self._websocket = websocket
        self._store = store
        self._run = run
        self._subscriber = subscriber
        self._run_changed = False
        self._run_sent_at = 0.0
        self._clock = asyncio.get_running_loop().time

    async def send(self) -> None:
        """Send all that is there, and then what comes."""
        await self._send_run()
        await self._send_commands(None)
        await self._send_gates()
        await self._send_alerts()
        while True:
            await self._send_news(await self._wait())
            if self._clock() >= self._run_due():
                await self._send_run()

    async def _wait(self) -> Pending:
        patience = max(0.0, self._run_due() - self._clock())
        try:
            await asyncio.wait_for(self._subscriber.news.wait(), patience)
        except asyncio.TimeoutError:
            return Pending()
        return self._subscriber.take()

    async def _send_news(self, news: Pending) -> None:
        self._run_changed |= news.run
        if news.frame is not None:
            await self._websocket.send_bytes(news.frame)
        if news.parameters:
            await self._send(ParametersChanged())
        if news.commands:
            await self._send_commands(news.commands)
        if news.gates:
            await self._send_gates()
        if news.explanations:
            await self._send(ExplanationsChanged())
        if news.alerts:
            await self._send_alerts()
        if news.metrics:
            points = news.metrics.listed()
            await self._send(NewMetrics(points=points, complete=news.metrics.complete))

    def _run_due(self) -> float:
        pause = RUN_AT_MOST_EVERY if self._run_changed else RUN_AT_LEAST_EVERY
        return self._run_sent_at + pause

    async def _send_run(self) -> None:
        self._run_changed = False
        row = await run_in_threadpool(self._read_run)
        self._run_sent_at = self._clock()
        await self._send(RunChanged(run=row))

    async def _send_commands(self, ids: set[int] | None) -> None:
        rows = await run_in_threadpool(self._read_commands, ids)
        await self._send(CommandsChanged(commands=rows))

    async def _send_gates(self) -> None:
        rows = await run_in_threadpool(self._read_gates)
        await self._send(GatesChanged(gates=rows))

    async def _send_alerts(self) -> None:
        rows = await run_in_threadpool(self._read_alerts)
        await self._send(AlertsChanged(alerts=rows))

    def _read_run(self) -> RunRow:
        with self._store.read() as connection:
            return run_row(connection, self._run)

    def _read_commands(self, ids: set[int] | None) -> list[CommandRow]:
        with self._store.read() as connection:
            limit = COMMANDS if ids is None else len(ids)
            return command_rows(connection, self._run, limit, ids)

    def _read_gates(self) -> list[GateRow]:
        with self._store.read() as connection:
            return gate_rows(connection, self._run)

    def _read_alerts(self) -> list[Alert]:
        with self._store.read() as connection:
            return alert_rows(connection, self._run)

    async def _send(self, message: Message) -> None:
        await self._websocket.send_text(message.model_dump_json())


async def _drain(websocket: WebSocket) -> None:
    """Wait until the browser goes; it has nothing to say."""
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            return


def _short(reason: str) -> str:
    """A close reason has at most 123 bytes of UTF-8 (RFC 6455, section 5.5)."""
    return reason.encode()[:123].decode(errors="ignore")
