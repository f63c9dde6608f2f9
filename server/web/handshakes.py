"""Uvicorn's protocol of WebSockets, with bounds until a probe has said hello, and at the end."""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from ..live.probe_socket import ADMIT
from ..protocol import limits
from ..protocol.server_messages import Error

_CLOSE_WITHIN = 2.0
_TOO_LARGE, _RESTART, _TRY_AGAIN = 1009, 1012, 1013


class WebSockets(WebSocketsSansIOProtocol):
    """Takes little of a socket before the application admits it.

    A frame is handed on once it is whole, and until then it is in memory. What counts is what came
    since the last small message, of every socket that is not admitted: that may be one `hello`,
    and of all of them together `limits.WAITING_BYTES`.

    A server that stops closes with code 1012, and waits a moment for the peer's answer: an end
    without it may come to the peer before the code, and instead of it.

    It also takes a handshake that the application answered with a status for done. Uvicorn 0.54
    does not, and logs an error of the application for each.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._admitted = False
        self._refused = False
        self._held = 0

    def data_received(self, data: bytes) -> None:
        """Take bytes of the peer; those of one that was refused are dropped."""
        if not self._admitted:
            if self._refused or (self.close_sent and self._counted):
                return
            self._held += len(data)
            if self._counted > limits.FRAME_BYTES:
                message = f"`hello` has at most {limits.FRAME_BYTES} bytes."
                self._refuse(Error(message=message, retry=False), _TOO_LARGE)
                return
            if self._counted and self._waiting > limits.WAITING_BYTES:
                message = (
                    f"Sockets that have not said `hello` hold {limits.WAITING_BYTES} bytes of this "
                    "server, which is as much as they may: try again."
                )
                self._refuse(Error(message=message, retry=True), _TRY_AGAIN)
                return
        super().data_received(data)

    def handle_connect(self, event: Any) -> None:
        """Begin the application, which finds `ADMIT` among its extensions."""
        super().handle_connect(event)
        if self.response.status_code == 101:
            extensions: dict[str, Any] = self.scope["extensions"]
            extensions[ADMIT] = self._admit

    def shutdown(self) -> None:
        """Close since the server stops; the peer may come again."""
        if not self.handshake_complete or self.close_sent or self.transport.is_closing():
            super().shutdown()
            return
        self.stop_keepalive()
        self._close(_RESTART)
        if self.read_paused:
            self.read_paused = False
            self.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the connection."""
        super().connection_lost(exc)
        self._let_go()

    def send_receive_event_to_app(self) -> None:
        """Hand on a message."""
        super().send_receive_event_to_app()
        if not self._counted:
            self._held = 0

    async def send(self, message: Any) -> None:
        """Send a message of the application."""
        await super().send(message)
        if self.initial_response is not None and self.close_sent:
            self.handshake_complete = True

    @property
    def _counted(self) -> int:
        return 0 if self._admitted else max(0, self._held - limits.SMALL_BYTES)

    @property
    def _waiting(self) -> int:
        return sum(each._counted for each in self.connections if isinstance(each, WebSockets))

    def _admit(self) -> None:
        self._admitted = True

    def _let_go(self) -> None:
        """Free what was read of a frame: this object is in cycles, and may be there for long."""
        self.conn.receive_eof()
        self.frames = []
        self._held = 0

    def _refuse(self, error: Error, code: int) -> None:
        """Say why, drop what else comes, and close soon."""
        if not self.handshake_complete or self.transport.is_closing():
            self.transport.abort()
            return
        self.conn.send_text(error.model_dump_json().encode())
        self._close(code)
        self._refused = True
        self._let_go()

    def _close(self, code: int) -> None:
        """Take the peer for gone, and let it go within `_CLOSE_WITHIN`, whatever it has read."""
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": ""})
        self.conn.send_close(code)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = self.disconnected = True
        self.close_timer = self.loop.call_later(_CLOSE_WITHIN, self.transport.abort)
