"""The patience of the server with whoever is at the other end of a connection."""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from array import array
from collections.abc import Callable

LOOK = 15.0
"""Seconds between two looks at a connection."""
LEAST = 16 * 1024
"""Bytes that a peer takes from one look to the next, at least, where more waits for it here, or, as
far as that is known, with the system."""
# Linger for no time at all (socket(7), SO_LINGER).
_FORGET = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)


class PeerWatch:
    """Looks at one connection now and then, and drops a peer that does not do its part."""

    def __init__(
        self, transport: asyncio.Transport, late: Callable[[], bool] | None = None
    ) -> None:
        """`late` tells whether the peer is late with what it has to send."""
        self._transport = transport
        self._late = late
        self._paused = False
        self._left: int | None = None
        """Bytes that could not be sent at the look before, and nothing was added to since."""
        self._next = self._after_a_while()

    def pause(self) -> None:
        """Take note that nothing is written any more, until the peer has read."""
        self._paused = True

    def resume(self) -> None:
        """Take note that the peer has read."""
        self._paused = False
        self._left = None

    def end(self) -> None:
        """Look no more."""
        self._next.cancel()

    def _after_a_while(self) -> asyncio.TimerHandle:
        return asyncio.get_running_loop().call_later(LOOK, self._look)

    def _look(self) -> None:
        left = self._transport.get_write_buffer_size() + _on_its_way(self._transport)
        stuck = self._left is not None and left > max(0, self._left - LEAST)
        if stuck or (self._late is not None and self._late()):
            self._drop()
            return
        self._left = left if self._paused or self._transport.is_closing() else None
        self._next = self._after_a_while()

    def _drop(self) -> None:
        """End the connection, and forget what the peer has not read.

        To close would wait until it has; and the system would still keep what it took over.
        """
        own = self._transport.get_extra_info("socket")
        if own is not None:
            own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _FORGET)
        self._transport.abort()


class WatchedProtocol(asyncio.Protocol):
    """Stands before a protocol of uvicorn's, and has its peer watched, once that is begun."""

    _watch: PeerWatch | None = None

    def watch(self, transport: asyncio.Transport, late: Callable[[], bool] | None = None) -> None:
        """Begin to watch the peer; `late` is that of `PeerWatch`."""
        self._watch = PeerWatch(transport, late)

    def end_watch(self) -> None:
        """Watch the peer no more."""
        if self._watch is not None:
            self._watch.end()
            self._watch = None

    def connection_lost(self, exc: Exception | None) -> None:
        """End the connection."""
        super().connection_lost(exc)
        self.end_watch()

    def pause_writing(self) -> None:
        """Write no more for now."""
        super().pause_writing()
        if self._watch is not None:
            self._watch.pause()

    def resume_writing(self) -> None:
        """Write again."""
        super().resume_writing()
        if self._watch is not None:
            self._watch.resume()


def _on_its_way(transport: asyncio.Transport) -> int:
    """Return how many bytes the system has taken over that have not arrived; 0 where it tells not.

    It may hold megabytes, and takes more only once a third of them has gone: on a slow line
    nothing seems to move for longer than a look.
    """
    own = transport.get_extra_info("socket")
    if own is None or sys.platform != "linux":
        return 0
    import fcntl
    import termios  # which, as that, Windows has not

    held = array("i", [0])
    try:
        fcntl.ioctl(own.fileno(), termios.TIOCOUTQ, held)
    except OSError:  # it is closed by now
        return 0
    return held[0]
