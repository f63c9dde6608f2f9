"""A network that fails on demand: a TCP proxy between a real job and a real server."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")

CHUNK = 4096
"""Bytes that are passed on at once, at most, and about as many as wait in each socket."""


@dataclass(eq=False)
class _Line:
    """One connection of a job, and its other half to the server."""

    job: asyncio.StreamWriter
    server: asyncio.StreamWriter
    to_server: asyncio.Event = field(default_factory=asyncio.Event)
    to_job: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while something passes that way."""
    is_held: bool = False
    """Whether nothing of the job's passes before `deliver_late`."""
    swallows: bool = False
    """Whether what the job sends is taken and lost: the server's half is gone without a word."""
    cut_after: int | None = None
    """Bytes of the job's that still pass before both ends are reset."""

    def reset(self) -> None:
        """End both halves with RST."""
        self.flow()
        for writer in (self.job, self.server):
            _reset(writer)

    def flow(self) -> None:
        """Let both ways be open."""
        self.to_server.set()
        self.to_job.set()

    def stall(self) -> None:
        """Let nothing pass."""
        self.to_server.clear()
        self.to_job.clear()


class Proxy:
    """Passes bytes between whoever connects and a port, until it is told to do worse.

    It runs in a thread of its own; each method takes effect before it returns. What is said of
    "now" is about the connections that there are; others are made as usual.
    """

    def __init__(self, target: int) -> None:
        """``target``: the port on this machine to which it connects."""
        self.target = target
        self.accepted = 0
        """Connections that were made so far."""
        self._lines: set[_Line] = set()
        self._rate: float | None = None
        self._stalled = self._refuses = self._holds_next = False
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.port = 0

    @property
    def url(self) -> str:
        """The address that a job is given."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def lines(self) -> int:
        """How many connections there are now."""
        return len(self._lines)

    def slow(self, bytes_per_second: float | None) -> None:
        """Pass no more than so many bytes a second in each direction; None: as fast as it goes."""
        self._rate = bytes_per_second

    def stall(self) -> None:
        """Accept connections, and pass nothing over any, until `flow`."""

        def work() -> None:
            self._stalled = True
            for line in self._lines:
                line.stall()

        self._do(work)

    def flow(self) -> None:
        """Pass on what was stalled, and everything from now on."""

        def work() -> None:
            self._stalled = False
            for line in self._lines:
                if not line.is_held:
                    line.flow()

        self._do(work)

    def lose_server(self) -> None:
        """Let the server's half of each connection be gone now, without a word to the job."""

        def work() -> None:
            for line in self._lines:
                line.swallows = True
                _reset(line.server)

        self._do(work)

    def lose_job(self) -> None:
        """Let the job's half of each connection be gone now, without a word to the server."""

        def work() -> None:
            for line in self._lines:
                line.stall()
                _reset(line.job)

        self._do(work)

    def reset(self) -> None:
        """End each connection with RST now."""

        def work() -> None:
            for line in tuple(self._lines):
                line.reset()

        self._do(work)

    def refuse(self, refuses: bool = True) -> None:
        """End each connection that is made from now on with RST, or no longer."""
        self._refuses = refuses

    def cut_after(self, count: int) -> None:
        """Pass so many bytes more of each job, which may end within a frame, and then RST."""

        def work() -> None:
            for line in self._lines:
                line.cut_after = count

        self._do(work)

    def hold_back(self) -> None:
        """Hold back what the job says over each connection, which is not told of that."""

        def work() -> None:
            for line in self._lines:
                line.is_held = True
                line.to_server.clear()

        self._do(work)

    def hold_hello_back(self) -> None:
        """Do so over the next connection that is made, once its handshake has passed."""
        self._holds_next = True

    def deliver_late(self) -> None:
        """Pass on what was held back: the server may have two connections of one run now."""

        def work() -> None:
            for line in self._lines:
                if line.is_held:
                    line.is_held = False
                    line.flow()

        self._do(work)

    def __enter__(self) -> Proxy:
        """Listen."""
        self._thread.start()
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, CHUNK)
        listener.bind(("127.0.0.1", self.port))
        self.port = listener.getsockname()[1]
        self._server = self._wait(asyncio.start_server(self._serve, sock=listener, limit=CHUNK))
        return self

    def __exit__(self, *_: object) -> None:
        """End every connection."""

        async def end() -> None:
            self._server.close()
            for line in tuple(self._lines):
                line.reset()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

        self._wait(end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    def _do(self, work: Callable[[], None]) -> None:
        async def do() -> None:
            work()

        self._wait(do())

    async def _serve(self, reader: asyncio.StreamReader, job: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.accepted += 1
        try:
            if self._refuses:
                _reset(job)
                return
            try:
                answers, server = await asyncio.open_connection(
                    "127.0.0.1", self.target, limit=CHUNK
                )
            except OSError:
                _reset(job)
                return
            line = _Line(job, server)
            if not self._stalled:
                line.flow()
            line.is_held, self._holds_next = self._holds_next, False
            self._lines.add(line)
            try:
                await asyncio.gather(
                    self._pass(line, reader, server, of_job=True),
                    self._pass(line, answers, job, of_job=False),
                )
            finally:
                self._lines.discard(line)
                line.reset()
        except asyncio.CancelledError:
            return
        finally:
            self._tasks.discard(task)

    async def _pass(
        self,
        line: _Line,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        of_job: bool,
    ) -> None:
        """Pass on what one side says, until it ends; an end is passed on like anything else."""
        is_open = line.to_server if of_job else line.to_job
        ended = False
        while not ended:
            data = b""
            with contextlib.suppress(OSError):
                data = await reader.read(CHUNK if self._rate is None else 64)
            ended = not data
            await is_open.wait()
            if line.swallows:
                if of_job:
                    continue
                return
            if of_job and line.cut_after is not None:
                data = data[: line.cut_after]
                line.cut_after -= len(data)
            if self._rate is not None:
                await asyncio.sleep(len(data) / self._rate)
                await is_open.wait()
            if writer.transport.is_closing():  # what is said to who is gone is lost
                continue
            with contextlib.suppress(OSError, RuntimeError):
                writer.write(data)
                if ended:
                    writer.write_eof()
                await writer.drain()
            if of_job and line.is_held:
                is_open.clear()
            if of_job and line.cut_after == 0:
                line.reset()
                return


def _reset(writer: asyncio.StreamWriter) -> None:
    """End a connection with RST, so that nothing that waits is delivered."""
    if writer.transport.is_closing():
        return
    sock = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
