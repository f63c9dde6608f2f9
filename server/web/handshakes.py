"""Uvicorn's protocol of WebSockets, which knows a refused handshake as done."""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol


class WebSockets(WebSocketsSansIOProtocol):
    """Takes a handshake that the application answered with a status for done.

    Uvicorn 0.54 does not, and logs an error of the application for each.
    """

    async def send(self, message: Any) -> None:
        """Send a message of the application."""
        await super().send(message)
        if self.initial_response is not None and self.close_sent:
            self.handshake_complete = True
