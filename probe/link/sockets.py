"""The WebSocket to a server."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from .address import ServerAddress

OPEN_TIMEOUT = 5.0
MAX_FRAME = 32 * 2**20


@asynccontextmanager
async def connected(address: ServerAddress) -> AsyncIterator[ClientConnection]:
    """Open the socket to a server, and close it."""
    socket = await _connect(address)
    try:
        yield socket
    finally:
        try:
            await socket.close()
        finally:  # to cancel a close is to leave the transport open
            socket.transport.abort()


def _connect(address: ServerAddress) -> connect:
    token = address.token
    # A proxy from the environment is right for a remote server and wrong for this machine.
    proxy: dict[str, Any] = {"proxy": None} if address.is_local else {}
    return connect(
        address.ingest,
        additional_headers={"Authorization": f"Bearer {token}"} if token else None,
        open_timeout=OPEN_TIMEOUT,
        close_timeout=1.0,
        ping_interval=None,  # those of websockets are drawn from the script's random numbers
        max_size=MAX_FRAME,
        compression=None,
        logger=_silent_logger(),
        **proxy,
    )


def _silent_logger() -> logging.Logger:
    """Make a logger that is silent: websockets would log each failed try with a traceback."""
    quiet = logging.getLogger("gradgate.websockets")
    quiet.propagate = False
    quiet.disabled = True
    return quiet
