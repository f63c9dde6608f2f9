"""The server's side of one connection to a probe: what goes out, and in which order."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from typing import Any

import pytest

from gradgate.server.live.connection import ProbeConnection, Refused
from gradgate.server.protocol.commands.change import Command
from gradgate.server.protocol.server_messages import Welcome
from tests.server.live.conftest import Socket
from tests.support.loops import run_coroutine


def thaw(number: int, target: Any = "a") -> Command:
    """A command; a target that is no text is one that nobody checked."""
    fields = {"kind": "thaw", "target": target, "mode": "grad", "by": "b"}
    return Command.model_construct(id=number, **fields)


async def delivered(connection: ProbeConnection) -> None:
    """Deliver what waits, and end the connection."""
    delivery = asyncio.create_task(connection.deliver())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    connection.end(Refused("The test is over.", retry=True))
    with pytest.raises(Refused, match="over"):
        await delivery


def test_what_waits_for_a_probe_goes_out_in_order_of_id(socket: Socket) -> None:
    """A command that came while the probe connected does not overtake those it has yet to get."""

    async def send() -> None:
        connection = socket.connection()
        for number in (5, 2, 4):
            connection.command(thaw(number))
        connection.acknowledge(7)
        connection.acknowledge(9)
        await delivered(connection)

    run_coroutine(send())
    sent = [json.loads(text) for text in socket.sent]
    assert sent[0] == {"type": "ack", "seq": 9, "gather": 0.1}
    assert [message["id"] for message in sent[1:]] == [2, 4, 5]


def test_who_looks_is_told_with_what_is_stored(socket: Socket) -> None:
    """Only when that changes; frames may gather for longer while nobody looks at them."""

    async def send() -> None:
        connection = socket.connection()
        welcome = Welcome(protocol=2, run="a" * 16, last_seq=5, server_version="1")
        await connection.welcome(welcome)
        connection.look(False)
        delivery = asyncio.create_task(connection.deliver())
        await asyncio.sleep(0)
        connection.acknowledge(7)
        for seen in (False, False, True, True, False):
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            connection.look(seen)
        await asyncio.sleep(0)
        connection.end(Refused("The test is over.", retry=True))
        with pytest.raises(Refused, match="over"):
            await delivery

    run_coroutine(send())
    told = [(each["seq"], each["gather"]) for each in map(json.loads, socket.sent[1:])]
    assert told == [(5, 1.0), (7, 1.0), (7, 0.1), (7, 1.0)]


def test_a_command_is_told_how_old_it_is(socket: Socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it waited for this connection counts, and whether it holds is for the job to say."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    async def send() -> None:
        connection = socket.connection(expires=600.0)
        connection.command(thaw(1).model_copy(update={"age": 50.0}))
        now[0] += 7
        connection.command(thaw(2))
        await delivered(connection)

    run_coroutine(send())
    told = [json.loads(text) for text in socket.sent]
    assert [(each["age"], each["expires"]) for each in told] == [(57.0, 600.0), (0.0, 600.0)]


def test_a_command_that_cannot_be_sent_takes_no_other_along(
    socket: Socket, caplog: pytest.LogCaptureFixture
) -> None:
    """The log names it, and those behind it go out."""

    async def send() -> None:
        connection = socket.connection()
        for number, target in ((1, "a"), (2, "\ud800"), (3, "b")):
            connection.command(thaw(number, target))
        await delivered(connection)

    with caplog.at_level(logging.ERROR, "gradgate.server"):
        run_coroutine(send())
    assert [json.loads(text)["id"] for text in socket.sent] == [1, 3]
    assert "Command 2 cannot be sent to its job" in caplog.text


def test_a_refused_probe_is_told_why(socket: Socket) -> None:
    """And whether it may try again, before the connection is closed."""

    async def refuse() -> None:
        await socket.connection().refuse(Refused("No.", 1002, retry=True))

    run_coroutine(refuse())
    assert [json.loads(text) for text in socket.sent] == [
        {"type": "error", "message": "No.", "retry": True, "seq": None}
    ]
    assert socket.closed == 1002


def test_a_connection_that_ended_takes_nothing_more(socket: Socket) -> None:
    """What was received after that is not looked at."""

    async def check() -> None:
        connection = socket.connection()
        connection.check()
        connection.end(Refused("Over."))
        connection.check()

    with pytest.raises(Refused, match="Over"):
        run_coroutine(check())
