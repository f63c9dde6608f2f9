"""Uvicorn's server, whose end nobody holds up who reads slowly."""

from __future__ import annotations

import asyncio
import logging
import socket

import uvicorn

ANSWERS_WITHIN = 3.0
"""Seconds that answers which are on their way have, once the server stops."""
_log = logging.getLogger("gradgate.server")


class StoppingServer(uvicorn.Server):
    """Takes no more connections when it stops, and ends those that there are.

    Sockets are closed at once, and idle connections too. What is still being read after
    `ANSWERS_WITHIN` seconds is cut off.
    """

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End."""
        timer = asyncio.get_running_loop().call_later(ANSWERS_WITHIN, self._cut_off)
        try:
            await super().shutdown(sockets)
        finally:
            timer.cancel()

    def _cut_off(self) -> None:
        left = list(self.server_state.connections)
        if left:
            _log.warning(
                "The server stops, and cuts off %d answers that were not read within %.0f seconds.",
                len(left),
                ANSWERS_WITHIN,
            )
        for connection in left:
            connection.transport.abort()
