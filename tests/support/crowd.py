"""Many peers of one server at once, which do not do their part: sockets without threads."""

from __future__ import annotations

import base64
import os
import select
import socket
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_SMALL = 4096
"""Bytes that the kernel keeps for a peer that does not read."""


@dataclass
class Peers:
    """Connections that were opened, and what became of them."""

    open: list[socket.socket] = field(default_factory=list)
    refused: int = 0
    """Connections that could not be made."""

    def gone(self) -> int:
        """Return how many of them the server has ended."""
        return sum(_ended(each) for each in self.open)

    def close(self) -> None:
        """End them."""
        for each in self.open:
            each.close()
        self.open.clear()


def _ended(peer: socket.socket) -> bool:
    """Return whether the other side has closed, whatever it has sent before."""
    poll = select.poll()
    poll.register(peer, getattr(select, "POLLRDHUP", select.POLLHUP))
    return bool(poll.poll(0))


def connected(url: str, count: int, sent: bytes) -> Peers:
    """Open connections that send some bytes, and then nothing, and never read."""
    where = urlsplit(url)
    peers = Peers()
    for _ in range(count):
        peer = socket.socket()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL)
        peer.settimeout(10)
        try:
            peer.connect((where.hostname, where.port))
            peer.sendall(sent)
        except OSError:
            peers.refused += 1
            peer.close()
        else:
            peer.setblocking(False)
            peers.open.append(peer)
    return peers


def request(url: str, target: str, *headers: str, method: str = "GET") -> bytes:
    """Return a request, or the beginning of one, without the line that ends its head."""
    lines = (f"{method} {target} HTTP/1.1", f"Host: {urlsplit(url).netloc}", *headers)
    return "".join(f"{line}\r\n" for line in lines).encode()


def upgrade(url: str, target: str) -> bytes:
    """Return the handshake of a WebSocket."""
    key = base64.b64encode(os.urandom(16)).decode()
    more = ("Connection: Upgrade", "Upgrade: websocket", f"Sec-WebSocket-Key: {key}")
    return request(url, target, *more, "Sec-WebSocket-Version: 13") + b"\r\n"
