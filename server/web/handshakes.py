"""Uvicorn's protocol of WebSockets, with bounds until a probe has said hello, and at the end."""

from __future__ import annotations

import asyncio
import codecs
from collections.abc import Sequence
from typing import Any

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.protocol import State

from ..live.probe_socket import ADMIT
from ..protocol import limits
from ..protocol.server_messages import Error
from .peer_watch import WatchedProtocol

_CLOSE_WITHIN = 2.0
_NO_TEXT, _TOO_LARGE, _RESTART, _TRY_AGAIN = 1007, 1009, 1012, 1013


class WebSockets(WatchedProtocol, WebSocketsSansIOProtocol):
    """Takes little of a socket before the application admits it.

    A frame is handed on once it is whole, and until then it is in memory. What counts is what came
    since the last small message, of every socket that is not admitted: that may be one `hello`,
    and of all of them together `limits.WAITING_BYTES`.

    A peer that does not read is dropped in the end, and its pings are not answered meanwhile, since
    answers would gather here without bound. A text that is none in UTF-8 is refused; uvicorn logs
    an error of the application for each.

    A server that stops closes with code 1012, and waits a moment for the peer's answer: an end
    without it may come to the peer before the code, and instead of it.

    It also takes a handshake that the application answered with a status for done. Uvicorn 0.54
    does not, and logs an error of the application for each.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._admitted = False
        self._forgotten = False
        """Whether nothing is read of the peer any more."""
        self._held = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake."""
        super().connection_made(transport)
        self.watch(self.transport)

    def data_received(self, data: bytes) -> None:
        """Take bytes of the peer; those of one that was refused are dropped."""
        if self._forgotten:
            return
        if not self._admitted:
            if self.close_sent and self._counted:
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

    def handle_ping(self) -> None:
        """Answer a ping, unless the peer has not read what it was sent before."""
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()

    def send_receive_event_to_app(self) -> None:
        """Hand on a message."""
        is_text = self.curr_msg_data_type == "text"
        if is_text and not self.close_sent and not _is_text(self.frames):
            self._end(Error(message="A text is in UTF-8.", retry=False), _NO_TEXT)
            return
        super().send_receive_event_to_app()
        if not self._counted:
            self._held = 0

    async def send(self, message: Any) -> None:
        """Send a message of the application; raises `ClientDisconnected` behind a close."""
        await self.writable.wait()
        if self.close_sent and self.initial_response is None:
            # Uvicorn closed, of a peer that broke the protocol or answered no ping.
            raise ClientDisconnected
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
        self._forgotten = True
        self._end(error, code)
        self._let_go()

    def _end(self, error: Error, code: int) -> None:
        """Say why, and close."""
        if not self.handshake_complete or self.transport.is_closing():
            self.transport.abort()
            return
        self._close(code, error)

    def _close(self, code: int, error: Error | None = None) -> None:
        """Take the peer for gone, and let it go within `_CLOSE_WITHIN`, whatever it has read."""
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": ""})
        if self.conn.state is State.OPEN:  # and not closed by the peer, behind what is refused
            if error is not None:
                self.conn.send_text(error.model_dump_json().encode())
            self.conn.send_close(code)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = self.disconnected = True
        self.close_timer = self.loop.call_later(_CLOSE_WITHIN, self.transport.abort)


def _is_text(parts: Sequence[bytes]) -> bool:
    """Return whether the parts of a message are a text in UTF-8 together."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for part in parts:
            decoder.decode(part)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True
