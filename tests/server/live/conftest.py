"""Runs and connections without sockets."""

from __future__ import annotations

from typing import Any, cast

import pytest
from starlette.websockets import WebSocket

from gradgate.server.live.connection import ProbeConnection


class Socket:
    """A WebSocket that keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.closed: int | None = None

    async def send_text(self, text: str) -> None:
        self.sent.append(text)

    async def send_bytes(self, data: bytes) -> None:
        self.sent.append(data)

    async def close(self, code: int) -> None:
        self.closed = code

    def connection(self, expires: float | None = None) -> ProbeConnection:
        return ProbeConnection(cast(WebSocket, self), expires)


@pytest.fixture
def socket() -> Socket:
    """A socket to nobody."""
    return Socket()
