"""Asking for a command: what the answer promises, and in which order commands reach the probe."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from sqlalchemy import Connection
from starlette.websockets import WebSocket

from gradgate.server.live.connection import ProbeConnection
from gradgate.server.live.hub import Hub
from gradgate.server.live.topics import COMMANDS
from gradgate.server.protocol.commands.change import Command
from gradgate.server.protocol.commands.row import CommandRow
from gradgate.server.protocol.probe_messages import Hello
from gradgate.server.store import ledger
from gradgate.server.web.app import create_app
from gradgate.server.web.routes import commands
from tests.support.loops import run_coroutine
from tests.support.probing import FakeProbe, hello
from tests.support.serving import ServerProcess
from tests.support.storing import settings

FREEZE = {"kind": "freeze", "target": "a.*"}
RUN = "c" * 16
PATH = f"/api/runs/{RUN}/commands"
WITHIN = 20


@asynccontextmanager
async def serving(data: Path) -> AsyncIterator[tuple[Hub, httpx.AsyncClient]]:
    """A server in this process, with one run."""
    app = create_app(settings(data))
    transport = httpx.ASGITransport(app)
    client = httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", trust_env=False)
    async with app.router.lifespan_context(app), client:
        hub: Hub = app.state.parts.hub
        connection = ProbeConnection(cast(WebSocket, None))
        with hub.probe(RUN, connection) as live:
            await hub.open(live, Hello.model_validate(hello(RUN)))
        yield hub, client


def test_a_command_that_was_not_taken_is_not_taken_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind a job that lasts, a command is given up, and stays so when the store is free again."""
    monkeypatch.setattr(commands, "STORE_PATIENCE", 0.2)
    free = threading.Event()

    def work(_: Connection) -> None:
        free.wait(WITHIN)

    async def ask() -> tuple[httpx.Response, Any]:
        async with serving(tmp_path) as (hub, client):
            busy = hub.writer.submit(work)
            answer = await client.post(PATH, json=FREEZE)
            free.set()
            await asyncio.wrap_future(busy)
            await asyncio.wrap_future(hub.writer.submit(lambda _: None))
            return answer, (await client.get(PATH)).json()

    answer, log = run_coroutine(ask())
    assert answer.status_code == 503
    assert "was not taken" in answer.json()["detail"]
    assert log == {"commands": []}


def test_a_command_that_is_being_stored_may_still_be_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer says so, and once the command is stored it is passed on like any other."""
    monkeypatch.setattr(commands, "STORE_PATIENCE", 0.2)
    free = threading.Event()

    def slow(connection: Connection, **asked: Any) -> CommandRow:
        free.wait(WITHIN)
        return ledger.request(connection, **asked)

    monkeypatch.setattr("gradgate.server.live.requests.request", slow)

    async def ask() -> tuple[httpx.Response, set[int]]:
        async with serving(tmp_path) as (hub, client):
            with hub.browser(RUN) as subscriber:
                answer = await client.post(PATH, json=FREEZE)
                free.set()
                passed_on: set[int] = set()
                while not passed_on:
                    await asyncio.wait_for(subscriber.news.wait(), WITHIN)
                    passed_on |= subscriber.take().get(COMMANDS, frozenset())
                return answer, passed_on

    answer, passed_on = run_coroutine(ask())
    assert answer.status_code == 503
    assert "may still be taken" in answer.json()["detail"]
    assert passed_on == {1}


def test_what_waits_for_a_probe_goes_out_in_order_of_id() -> None:
    """A command that came while the probe connected does not overtake those it has yet to get."""

    class Socket:
        """Keeps what is sent."""

        def __init__(self) -> None:
            self.sent: list[str] = []

        async def send_text(self, text: str) -> None:
            """Keep a message."""
            self.sent.append(text)

    async def sent() -> list[int]:
        socket = Socket()
        connection = ProbeConnection(cast(WebSocket, socket))
        for number in (5, 2, 4):
            connection.command(Command(id=number, kind="thaw", target="a", mode="grad", by="b"))
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(connection.deliver(), 0.1)
        return [Command.model_validate_json(text).id for text in socket.sent]

    assert run_coroutine(sent()) == [2, 4, 5]


def test_commands_asked_for_at_once_arrive_in_order(shared_server: ServerProcess, run: str) -> None:
    """However many ask at the same time, the probe gets one id after the other."""
    path = f"/api/runs/{run}/commands"
    count = 60
    with FakeProbe(shared_server, hello(run)) as probe, ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda _: shared_server.post(path, FREEZE), range(count)))
        probe.until_command(count)
        assert [command["id"] for command in probe.commands] == list(range(1, count + 1))
