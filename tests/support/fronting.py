"""A reverse proxy as operators put before a server: it takes a path off, and adds headers."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Mapping

_NOTHING_HERE = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class ReverseProxy:
    """Passes on what is asked below a path, over a new connection for each request.

    It runs in a thread of its own. Headers that it sets take the place of what the client sent
    under the name.
    """

    def __init__(
        self,
        target: int,
        prefix: str = "/gradgate",
        headers: Mapping[str, str] | None = None,
        *,
        strips: bool = True,
    ) -> None:
        """``target``: the port on this machine to which it connects."""
        self._target = target
        self._prefix = prefix
        self.headers = dict(headers or {})
        self._strips = strips
        self.strays: list[str] = []
        """What was asked beside the path: of a server that knows its path, nothing is."""
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """The address of the server behind it."""
        return f"http://127.0.0.1:{self.port}{self._prefix}"

    @property
    def ws_url(self) -> str:
        """The same for WebSockets."""
        return "ws" + self.url.removeprefix("http")

    def __enter__(self) -> ReverseProxy:
        """Listen."""
        self._thread.start()
        started = asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(started, self._loop).result(20)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        """End every connection."""

        async def end() -> None:
            self._server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self._pass(reader, writer)
        except asyncio.CancelledError:
            return
        finally:
            writer.close()
            self._tasks.discard(task)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        request, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
        method, path, version = request.split(" ")
        if path != self._prefix and not path.startswith(f"{self._prefix}/"):
            self.strays.append(f"{method} {path}")
            writer.write(_NOTHING_HERE)
            await writer.drain()
            return
        kept = path.removeprefix(self._prefix) or "/" if self._strips else path
        # A connection for each request, so that the head of each is seen, unless it is upgraded.
        upgrades = any(line.lower().startswith("upgrade:") for line in lines)
        own = self.headers | ({} if upgrades else {"Connection": "close"})
        names = {name.lower() for name in own}
        others = [line for line in lines if line.partition(":")[0].lower() not in names]
        sent = [f"{method} {kept} {version}", *others, *(f"{n}: {v}" for n, v in own.items())]
        answers, server = await asyncio.open_connection("127.0.0.1", self._target)
        try:
            server.write("\r\n".join([*sent, "", ""]).encode("latin-1"))
            passing = asyncio.ensure_future(_copy(reader, server))
            await _copy(answers, writer)
            passing.cancel()
        finally:
            server.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on what comes until it ends."""
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
