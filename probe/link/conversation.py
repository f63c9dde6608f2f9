"""One connection to the server, from the hello to the goodbye."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from ..base.clock import elapsed
from ..base.guard import Guard
from .answers import Answers
from .bundle import bundled
from .frames import encode_json
from .outbox import Outbox
from .server_messages import REQUESTS, ForeignMessage, Message, parse_message
from .told_table import COLUMNS

HEARTBEAT = 1.0
"""Seconds between heartbeats."""
BATCHING = 0.1
"""Seconds that the sender lets frames gather: it sends 10 times a second, however fast a job."""
LONGEST_BATCHING = 2.0
"""Seconds that it lets them gather at most, however many the server says."""
ANSWER_TIMEOUT = 30.0
"""Seconds in which the server answers a hello, which may be large and the way to it slow."""
PING = 5.0
"""Seconds between two pings."""
PARTING = 5.0
"""Seconds in which the server has to say that it has stored the goodbye."""
SILENCE = 30.0
"""Seconds without a word of the server after which the connection is taken for broken."""


class Peer(Protocol):
    """Whom the link speaks for; all methods are called in the link's own thread."""

    def hello(self) -> Message:
        """Return the first message of a connection."""

    def heartbeat(self) -> Message:
        """Return what is told once a second."""

    def send_logged(self) -> None:
        """Put into the outbox what was logged, and what the training thread has not put there."""

    def receive(self, message: Message) -> None:
        """Take what the server asks for: a command, a preview, a trial, or what to look at."""


def hello_of(peer: weakref.ref[Peer]) -> Message | None:
    """Return the hello of a run, or None where it is gone."""
    there = peer()
    return None if there is None else there.hello()


def put_logged(peer: weakref.ref[Peer], guard: Guard) -> None:
    """Have a run that is still there put into the outbox what was logged."""
    there = peer()
    if there is not None:
        with guard:
            there.send_logged()


@dataclass
class Ending:
    """When the link is to end, and with which goodbye."""

    asked: asyncio.Event = field(default_factory=asyncio.Event)
    bye: Message | None = None
    last_step: int = 0
    """The latest step that the server was told of, over this connection or an earlier one."""
    is_stored: bool = False
    """Whether the server has stored the goodbye."""
    vanished_is_failed: bool = False
    """Whether a job that is gone without a goodbye has failed, and not just ended."""

    def goodbye(self) -> Message:
        """Return the goodbye of a job that is gone without one."""
        return {
            "type": "bye",
            "time": time.time(),
            "step": self.last_step,
            "failed": self.vanished_is_failed,
        }


class Conversation:
    """Sends what waits, reads what comes, and keeps a connection alive until the link ends."""

    def __init__(
        self,
        socket: ClientConnection,
        outbox: Outbox,
        answers: Answers,
        peer: weakref.ref[Peer],
        guard: Guard,
        ending: Ending,
    ) -> None:
        self._socket = socket
        self._outbox = outbox
        self._answers = answers
        self._weak_peer = peer
        self._guard = guard
        self._ending = ending
        self._heard = elapsed()
        """When something of the server's came last."""
        self._batching = BATCHING
        """Seconds that frames may gather that nobody waits for."""

    async def open(self, *, known: bool) -> Message:
        """Say hello; return the server's welcome, after which all that it lacks is sent again.

        ``known``: a server has had the table, which is left out until it asks for it.
        """
        hello = self._peer().hello()
        brief = {name: value for name, value in hello.items() if name != COLUMNS}
        # A server that refuses before it listens has said why, and that is read below.
        with contextlib.suppress(ConnectionClosed):
            await self._send(brief if known else hello)
        while True:
            async with asyncio.timeout(ANSWER_TIMEOUT):
                text = await self._socket.recv()
            message = parse_message(text)
            if message["type"] == "table" and known:
                known = False
                await self._send(hello)
            if message["type"] == "welcome":
                self._forget(self._outbox.rewind, message["last_seq"])
                return message

    async def talk(self) -> None:
        """Send and read until the connection or the link ends; then say goodbye."""
        tasks = [
            asyncio.create_task(self._send_frames()),
            asyncio.create_task(self._send_heartbeats()),
            asyncio.create_task(self._read()),
            asyncio.create_task(self._ping()),
            asyncio.create_task(self._watch()),
            asyncio.create_task(self._ending.asked.wait()),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._answers.listen(None)
            self._outbox.listen(None)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            task.result()
        if self._ending.asked.is_set():
            await self._send_all()
            if self._ending.bye is not None:
                await self._send(self._ending.bye)
                # What it does not store now is sent later.
                with contextlib.suppress(ConnectionClosed, TimeoutError):
                    async with asyncio.timeout(PARTING):
                        await self._read_farewell()

    async def _send_frames(self) -> None:
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()

        def wake() -> None:
            loop.call_soon_threadsafe(ready.set)

        self._answers.listen(wake)
        self._outbox.listen(wake)
        while True:
            await ready.wait()
            ready.clear()
            while await self._send_all():
                await self._gather(ready)
                ready.clear()

    async def _gather(self, ready: asyncio.Event) -> None:
        """Let frames gather: ten times a second, or more seldom where nobody looks at them.

        ``ready`` is set where something is not to wait. This thread takes the interpreter from the
        one that trains whenever it wakes, so it wakes once.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        longest = BATCHING if self._outbox.behind else self._batching
        over = loop.call_later(longest, ready.set)
        try:
            await ready.wait()
        finally:
            over.cancel()
        rest = began + BATCHING - loop.time()
        if rest > 0:
            await asyncio.sleep(rest)

    async def _send_all(self) -> bool:
        """Send what waits; return whether frames were among it."""
        for answer in self._answers.take():
            await self._send(answer)
        self._put_logged()
        entries = self._outbox.take()
        for message, last in bundled(entries):
            self._outbox.offer(last)
            await self._socket.send(message)
            self._outbox.sent(last)
        return bool(entries)

    async def _send_heartbeats(self) -> None:
        while True:
            peer = self._weak_peer()
            if peer is None:
                self._ending.bye = self._ending.goodbye()
                self._ending.asked.set()
                return
            self._put_logged()
            heartbeat = peer.heartbeat()
            self._ending.last_step = heartbeat["step"]
            del peer
            await self._send(heartbeat)
            await asyncio.sleep(HEARTBEAT)

    async def _read(self) -> None:
        async for text in self._socket:
            self._hear()
            message = parse_message(text)
            if message["type"] == "ack":
                self._forget(self._outbox.acknowledge, message["seq"])
                # One that says nothing of it is of an earlier version.
                self._batching = min(LONGEST_BATCHING, max(BATCHING, message.get("gather") or 0.0))
            elif message["type"] in REQUESTS:
                peer = self._peer()
                # Guarded one by one: a request that fails must not take the others along.
                with self._guard:
                    peer.receive(message)

    async def _read_farewell(self) -> None:
        """Read until the server has stored the goodbye; what it asks for now comes too late."""
        async for text in self._socket:
            message = parse_message(text)
            if message["type"] == "ack":
                self._forget(self._outbox.acknowledge, message["seq"])
            elif message["type"] == "bye":
                self._ending.is_stored = True
                return

    async def _ping(self) -> None:
        """Have the server say that it is there.

        With bytes of our own: websockets would draw them from the script's random numbers.
        """
        for number in itertools.count():
            await asyncio.sleep(PING)
            pong = await self._socket.ping(number.to_bytes(8, "big"))
            await pong
            self._hear()

    async def _watch(self) -> None:
        """End a connection over which nothing comes: a ping may wait behind what nobody reads."""
        while True:
            self._check_silence()
            await asyncio.sleep(SILENCE / 6)

    def _hear(self) -> None:
        """Note that something came.

        What comes after too long a silence was on its way while this job stood still, so that the
        server has to be asked whether it still holds.
        """
        self._check_silence()
        self._heard = elapsed()

    def _check_silence(self) -> None:
        """Raise TimeoutError where nothing came for too long."""
        if elapsed() - self._heard > SILENCE:
            raise TimeoutError(f"nothing was heard of the server for {SILENCE:.0f} seconds")

    def _forget(self, take: Callable[[int], None], seq: int) -> None:
        """Take the server's word for what it has stored; raises :class:`ForeignMessage`."""
        try:
            take(seq)
        except ValueError as error:
            raise ForeignMessage(str(error)) from error

    def _put_logged(self) -> None:
        """Have what was logged go with the samples of its steps, and not behind a later boundary.

        A job that is killed has its losses up to where it has gradients.
        """
        put_logged(self._weak_peer, self._guard)

    async def _send(self, message: Message) -> None:
        await self._socket.send(encode_json(message))

    def _peer(self) -> Peer:
        peer = self._weak_peer()
        if peer is None:
            raise ConnectionAbortedError("the run is gone")
        return peer
