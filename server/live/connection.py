"""The server's side of one connection to a probe."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from starlette.websockets import WebSocket

from ..protocol.commands.registry import AnyCommand
from ..protocol.models import Message
from ..protocol.server_messages import (
    Ack,
    Error,
    Farewell,
    Focus,
    TableQuestion,
    Watched,
    Welcome,
)
from ..store.guard import guarded, logged
from .questions import Questions

GATHER = 0.1
"""Seconds that a probe lets frames gather while somebody looks at them as they come."""
GATHER_UNSEEN = 1.0
"""Seconds that it does while nobody does: each message costs the job a bit of its step."""

_REASONS = {1002: "protocol", 1008: "policy", 1009: "too_large", 1011: "internal"}


class Refused(Exception):
    """The connection ends; the probe is told why, and whether it may try again by itself."""

    def __init__(
        self, message: str, code: int = 1008, *, retry: bool = False, reason: str | None = None
    ) -> None:
        """`reason`: a word of the code that refuses, by which refusals are counted."""
        super().__init__(message)
        self.message = message
        self.code = code
        self.retry = retry
        self.reason = reason or _REASONS[code]
        self.seq: int | None = None
        """The number of the frame that is refused, where it is that of one."""


class ProbeConnection:
    """What a probe still has to be sent; bounded, however slowly it reads.

    Nothing goes out before `welcome` was called, so commands may be queued from the moment that
    the connection is known.
    """

    def __init__(self, websocket: WebSocket, expires: float | None = None) -> None:
        """`expires`: seconds after which a command that was asked for is not to be applied."""
        self._websocket = websocket
        self._expires = expires
        self._news = asyncio.Event()
        self._acked: int | None = None
        self._stored = 0
        """The last number that was acknowledged."""
        self._seen = True
        """Whether somebody looks at frames as they come."""
        self._commands: dict[int, tuple[AnyCommand, float]] = {}
        self._focus: Focus | None = None
        self._watched: Watched | None = None
        self._farewell: Farewell | None = None
        self.questions = Questions(self._news)
        self._refusal: Refused | None = None

    def check(self) -> None:
        """Raise `Refused` when the connection has to end."""
        if self._refusal is not None:
            raise self._refusal

    async def welcome(self, message: Welcome) -> None:
        """Send the answer to `hello`."""
        self._stored = message.last_seq
        await self._send(message)

    async def ask_table(self) -> None:
        """Ask for the whole table, before `welcome`."""
        await self._send(TableQuestion())

    def acknowledge(self, seq: int) -> None:
        """Send that everything up to `seq` is stored."""
        self._acked = self._stored = seq
        self._news.set()

    def look(self, seen: bool) -> None:
        """Say whether somebody looks at frames as they come, with what is stored already."""
        if seen != self._seen:
            self._seen = seen
            self.acknowledge(self._stored)

    def farewell(self) -> None:
        """Send that the end of the run is stored, behind what acknowledges its last frame."""
        self._farewell = Farewell()
        self._news.set()

    def command(self, command: AnyCommand) -> None:
        """Send a command; those that wait go out in order of their ids."""
        self._commands[command.id] = command, time.monotonic()
        self._news.set()

    def focus(self, parameters: Sequence[int], seconds: float) -> None:
        """Send what to look at closely, in place of what was to be looked at before."""
        self._focus = Focus(parameters=list(parameters), seconds=seconds)
        self._news.set()

    def watched(self, commands: Sequence[int]) -> None:
        """Send which commands have a page that is there."""
        self._watched = Watched(commands=list(commands))
        self._news.set()

    def end(self, refused: Refused) -> None:
        """End this connection, and say why."""
        self._refusal = refused
        self._news.set()

    async def deliver(self) -> None:
        """Send what comes until the connection has to end, which raises `Refused`."""
        while True:
            await self._news.wait()
            self._news.clear()
            self.check()
            acked, self._acked = self._acked, None
            commands, self._commands = self._commands, {}
            if acked is not None:
                await self._send(Ack(seq=acked, gather=GATHER if self._seen else GATHER_UNSEEN))
            for number in sorted(commands):
                command, since = commands[number]
                age = command.age + time.monotonic() - since
                aged = command.model_copy(update={"age": age, "expires": self._expires})
                await self._deliver(aged, number)
            focus, self._focus = self._focus, None
            watched, self._watched = self._watched, None
            farewell, self._farewell = self._farewell, None
            for told in (focus, watched, farewell):
                if told is not None:
                    await self._send(told)
            for question in self.questions.take():
                await self._deliver(question, question.request)

    async def refuse(self, refused: Refused) -> None:
        """Send why, and close."""
        await self._send(Error(message=refused.message, retry=refused.retry, seq=refused.seq))
        await self._websocket.close(refused.code)

    async def _deliver(self, message: Message, number: int) -> None:
        """Send one of several; what cannot be written is logged by its number, and left out."""
        text = None
        with guarded(logged("%s %d cannot be sent to its job", type(message).__name__, number)):
            text = message.model_dump_json()
        if text is not None:
            await self._websocket.send_text(text)

    async def _send(self, message: Message) -> None:
        await self._websocket.send_text(message.model_dump_json())
