"""Uvicorn's protocol of HTTP, with bounds on how long a peer takes and how many there are."""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..protocol import limits
from .peer_watch import WatchedProtocol

REQUEST_WITHIN = 15.0
"""Seconds within which a request, head and body, has to be there."""
_OTHER_FILES = 256
"""Files that are no connections: the store's, the standard library's."""


class HttpConnection(WatchedProtocol, H11Protocol):
    """Takes a request that comes in time, and makes room where there are too many connections.

    Uvicorn itself waits for the first request of a connection, and for the rest of any, for ever.
    Where there are as many connections as there may be, the one that owes a request for the
    longest time goes: whoever wants something has asked by then.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # A peer can have uvicorn warn of wrong requests any number of times.
        self.logger = self.logger.getChild("requests")
        self.logger.setLevel(logging.ERROR)
        self._owes_since: float | None = self.loop.time()
        """Since when the peer has a request to send, or the rest of it; None: it is the server's
        turn."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        self._make_room()
        super().connection_made(transport)
        self.watch(transport, self._is_late)

    def data_received(self, data: bytes) -> None:
        """Take bytes of the peer."""
        super().data_received(data)
        self._take_turns()

    def on_response_complete(self) -> None:
        """Begin to wait for the next request."""
        super().on_response_complete()
        self._take_turns()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Give the connection to the protocol of WebSockets."""
        self.end_watch()
        super().handle_websocket_upgrade(event)

    def _take_turns(self) -> None:
        if self.conn.their_state not in (h11.IDLE, h11.SEND_BODY):
            self._owes_since = None
        elif self._owes_since is None:
            self._owes_since = self.loop.time()

    def _is_late(self) -> bool:
        since = self._owes_since
        return since is not None and self.loop.time() - since > REQUEST_WITHIN

    def _make_room(self) -> None:
        # At the limit itself uvicorn answers with 503, the one that has come now as any other.
        if self.limit_concurrency is None or len(self.connections) + 1 < self.limit_concurrency:
            return
        owing = [
            (each._owes_since, each.transport)
            for each in self.connections
            if isinstance(each, HttpConnection)
            and each._owes_since is not None
            and not each.transport.is_closing()
        ]
        if owing:
            _, longest = min(owing, key=lambda each: each[0])
            longest.abort()


def most_connections() -> int:
    """Return how many connections there may be at once: fewer where files are scarce.

    The process may open as many files as that takes from then on, as far as it is allowed to.
    """
    if sys.platform == "win32":
        return limits.CONNECTIONS
    import resource  # which Windows has not

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = limits.CONNECTIONS + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        return max(soft - _OTHER_FILES, soft // 2)
    return limits.CONNECTIONS
