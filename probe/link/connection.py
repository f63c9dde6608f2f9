"""The connection to the server: a background thread that the training thread never waits for."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Protocol
from urllib.parse import SplitResult, urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from ..base.guard import Guard
from .bundle import bundled
from .frames import PROTOCOL
from .outbox import Outbox

logger = logging.getLogger("gradgate")

HEARTBEAT = 1.0
"""Seconds between heartbeats."""
BATCHING = 0.1
"""Seconds that the sender lets frames gather: it sends 10 times a second, however fast a job."""
OPEN_TIMEOUT = 5.0
FIRST_TRY = 2.0
"""Seconds that the end of a job waits for the first try to connect to have an outcome."""
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0
"""Seconds between two tries to connect, at most."""
REFUSED_PAUSE = 30.0
"""Seconds before another try after the server said that it would not help."""
MAX_ANSWERS = 64
"""Answers that wait to be sent, at most; more drop the oldest, whose asker waits no longer."""
MAX_FRAME = 32 * 2**20

Message = Mapping[str, Any]

_FIELDS: Mapping[str, frozenset[str]] = {
    "welcome": frozenset({"protocol", "run", "last_seq"}),
    "ack": frozenset({"seq"}),
    "command": frozenset({"id", "kind"}),
    "preview": frozenset({"request", "kind", "target"}),
    "trial": frozenset({"request", "site"}),
    "error": frozenset({"message"}),
}
"""The messages of the server, and the fields without which they mean nothing."""


class _Refused(Exception):
    """The server answered with an ``error`` message."""

    def __init__(self, message: str, retry: bool) -> None:
        super().__init__(message)
        self.retry = retry


class _Nonsense(Exception):
    """What answers there does not speak this protocol."""


class Peer(Protocol):
    """Whom the link speaks for; all methods are called in the link's own thread."""

    def _hello(self) -> Message:
        """The first message of a connection."""

    def _heartbeat(self) -> Message:
        """What is told once a second."""

    def _on_message(self, message: Message) -> None:
        """The server asks for something: a ``command``, a ``preview`` or a ``trial``."""


class Link:
    """Talks to the server until closed; connects again, with pauses, whenever it must.

    It holds its peer weakly: a run whose model and optimizer are gone is not kept alive by
    its own thread, and the thread ends.
    """

    def __init__(
        self, url: str, token: str | None, outbox: Outbox, guard: Guard, peer: Peer
    ) -> None:
        self._url = ingest_url(url)
        self._shown_url = url.rstrip("/")
        self._token = token
        self._outbox = outbox
        self._guard = guard
        self._weak_peer = weakref.ref(peer)
        self._said: set[str] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing = asyncio.Event()
        self._bye: Message | None = None
        self._answers: deque[Message] = deque(maxlen=MAX_ANSWERS)
        self._wake: Callable[[], None] | None = None
        self._last_step = 0
        self.connected = threading.Event()
        self._tried = threading.Event()
        """The first try to connect has had an outcome."""
        self._thread = threading.Thread(target=self._run, name="gradgate-link", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def tell(self, message: Message) -> None:
        """Send a message that is not sequenced, over the present connection only; any thread."""
        self._answers.append(message)
        wake = self._wake
        if wake is not None:
            with contextlib.suppress(RuntimeError):  # the loop may have ended by itself
                wake()

    def close(self, bye: Message | None, timeout: float) -> None:
        """End the thread, after a goodbye if one is given.

        Waits ``timeout`` seconds at most, and only for a server that answers.
        """
        deadline = time.monotonic() + timeout
        # A job of a few milliseconds ends before the first try to connect has.
        self._tried.wait(min(timeout, FIRST_TRY))
        if self.connected.is_set():
            self._outbox.wait_empty(max(0.0, deadline - time.monotonic()))
        self._bye = bye
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop may have ended by itself
                self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join(max(0.1, deadline - time.monotonic()))

    def _run(self) -> None:
        try:
            with self._guard:
                asyncio.run(self._main())
        finally:
            self._tried.set()

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        pause = FIRST_PAUSE
        while not self._closing.is_set() and self._weak_peer() is not None:
            attempt = asyncio.create_task(self._try(pause))
            closing = asyncio.create_task(self._closing.wait())
            await asyncio.wait({attempt, closing}, return_when=asyncio.FIRST_COMPLETED)
            closing.cancel()
            if not self.connected.is_set() and not attempt.done():
                attempt.cancel()
            # Guarded one by one: a fault of the probe's own ends the session, not the link.
            pause = LONGEST_PAUSE
            with self._guard, contextlib.suppress(asyncio.CancelledError):
                pause = await attempt
            self.connected.clear()
            self._tried.set()
            await self._pause(pause)

    async def _try(self, pause: float) -> float:
        """Connect and talk until the connection ends; return the pause before the next try."""
        try:
            async with self._connect() as socket:
                pause = FIRST_PAUSE
                await self._session(socket)
        except _Refused as refusal:
            self._say_once(f"the dashboard at {self._shown_url} refused: {refusal}")
            if not refusal.retry:
                return REFUSED_PAUSE
        except _Nonsense as nonsense:
            self._say_once(
                f"what answers at {self._shown_url} does not speak Gradgate's protocol "
                f"({nonsense}); check the address. Training goes on."
            )
            return LONGEST_PAUSE
        except InvalidHandshake as error:
            self._say_once(
                f"what answers at {self._shown_url} is no dashboard, or a proxy before it "
                f"({error}); check the address. Training goes on."
            )
            return LONGEST_PAUSE
        except (OSError, asyncio.TimeoutError, ConnectionClosed):
            self._say_once(
                f"no dashboard at {self._shown_url}; training goes on, and this run appears "
                "there as soon as one is started (gradgate serve)."
            )
        return min(LONGEST_PAUSE, pause * 1.7)

    def _connect(self) -> connect:
        host = urlsplit(self._url).hostname
        local = host in ("localhost", "127.0.0.1", "::1")
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else None
        # A proxy from the environment is right for a remote server and wrong for this machine.
        proxy: dict[str, Any] = {"proxy": None} if local else {}
        return connect(
            self._url,
            additional_headers=headers,
            open_timeout=OPEN_TIMEOUT,
            close_timeout=1.0,
            max_size=MAX_FRAME,
            compression=None,
            logger=_silent_logger(),
            **proxy,
        )

    async def _session(self, socket: ClientConnection) -> None:
        # A server that refuses before it listens has said why, and `_receive` reads that.
        with contextlib.suppress(ConnectionClosed):
            await socket.send(_json(self._peer()._hello()))
        welcome = await self._receive(socket, "welcome")
        self._outbox.rewind(int(welcome["last_seq"]))
        if welcome.get("notice"):
            logger.warning("gradgate: %s", welcome["notice"])
        logger.info("gradgate: watched at %s/runs/%s", self._shown_url, welcome["run"])
        self.connected.set()
        self._tried.set()
        tasks = [
            asyncio.create_task(self._send_frames(socket)),
            asyncio.create_task(self._send_heartbeats(socket)),
            asyncio.create_task(self._read(socket)),
            asyncio.create_task(self._closing.wait()),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._wake = None
            self._outbox.listen(None)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            task.result()
        if self._closing.is_set():
            await self._send_all(socket)
            if self._bye is not None:
                await socket.send(_json(self._bye))

    async def _send_frames(self, socket: ClientConnection) -> None:
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()

        def wake() -> None:
            loop.call_soon_threadsafe(ready.set)

        self._answers.clear()
        self._wake = wake
        self._outbox.listen(wake)
        while True:
            await ready.wait()
            ready.clear()
            while await self._send_all(socket):
                await asyncio.sleep(BATCHING)

    async def _send_all(self, socket: ClientConnection) -> bool:
        """Send what waits; return whether frames were among it."""
        while self._answers:
            await socket.send(_json(self._answers.popleft()))
        entries = self._outbox.take()
        for message, last in bundled(entries):
            await socket.send(message)
            self._outbox.sent(last)
        return bool(entries)

    async def _send_heartbeats(self, socket: ClientConnection) -> None:
        while True:
            peer = self._weak_peer()
            if peer is None:
                self._bye = {"type": "bye", "time": time.time(), "step": self._last_step}
                self._closing.set()
                return
            heartbeat = peer._heartbeat()
            self._last_step = heartbeat["step"]
            del peer
            await socket.send(_json(heartbeat))
            await asyncio.sleep(HEARTBEAT)

    async def _read(self, socket: ClientConnection) -> None:
        async for text in socket:
            message = self._parse(text)
            if message["type"] == "ack":
                self._outbox.acknowledge(int(message["seq"]))
            elif message["type"] in ("command", "preview", "trial"):
                self._peer()._on_message(message)

    def _peer(self) -> Peer:
        peer = self._weak_peer()
        if peer is None:
            raise ConnectionAbortedError("the run is gone")
        return peer

    async def _receive(self, socket: ClientConnection, wanted: str) -> Message:
        while True:
            message = self._parse(await asyncio.wait_for(socket.recv(), OPEN_TIMEOUT))
            if message["type"] == wanted:
                return message

    def _parse(self, text: str | bytes) -> Message:
        try:
            message = json.loads(text)
        except ValueError:
            raise _Nonsense(f"it sent {text[:60]!r}") from None
        if not isinstance(message, dict) or message.get("type") not in _FIELDS:
            raise _Nonsense(f"it sent {text[:60]!r}")
        if message["type"] == "error":
            raise _Refused(str(message.get("message")), bool(message.get("retry", False)))
        if message["type"] == "welcome" and message.get("protocol", PROTOCOL) != PROTOCOL:
            raise _Refused(
                f"it speaks protocol {message['protocol']}, this probe {PROTOCOL}; "
                "upgrade the older one with pip install --upgrade gradgate",
                retry=False,
            )
        missing = _FIELDS[message["type"]] - message.keys()
        if missing:
            raise _Nonsense(f"its {message['type']} lacks {', '.join(sorted(missing))}")
        return message

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._closing.wait(), seconds)

    def _say_once(self, text: str) -> None:
        if text not in self._said and len(self._said) < 20:
            self._said.add(text)
            logger.warning("gradgate: %s", text)


def ingest_url(url: str) -> str:
    """Return the WebSocket address of a server: ``http://host:8765`` → ``ws://host:8765/api/ingest``.

    Raises ValueError for an address of another kind.
    """
    parts = urlsplit(url)
    scheme = {"http": "ws", "https": "wss"}.get(parts.scheme)
    if scheme is None or not parts.hostname or not _has_valid_port(parts):
        raise ValueError(
            f"server={url!r} is no address of a dashboard; "
            "give one such as 'http://127.0.0.1:8765', or False for none."
        )
    return f"{scheme}://{parts.netloc}{parts.path.rstrip('/')}/api/ingest"


def _has_valid_port(parts: SplitResult) -> bool:
    try:
        return parts.port is None or parts.port > 0
    except ValueError:
        return False


def _json(message: Message) -> str:
    return json.dumps(message, separators=(",", ":"), allow_nan=False)


def _silent_logger() -> logging.Logger:
    """websockets logs each failed try with a traceback; the link speaks for itself."""
    quiet = logging.getLogger("gradgate.websockets")
    quiet.propagate = False
    quiet.disabled = True
    return quiet
