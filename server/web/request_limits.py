"""The bodies of requests: small ones only."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..protocol import limits


class _TooLarge(Exception):
    """A body is larger than the limit."""


class BodyLimit:
    """ASGI middleware that reads a body before the application does, up to the limit."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on with its whole body, or answer 413."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            _check_announced(Headers(scope=scope).get("content-length"))
            body = await _read(receive)
        except _TooLarge:
            message = f"The body of a request has at most {limits.BODY_BYTES} bytes: send less."
            await JSONResponse({"detail": message}, 413)(scope, receive, send)
            return
        await self._app(scope, _replayed(body, receive), send)


def _check_announced(length: str | None) -> None:
    if length is not None and int(length) > limits.BODY_BYTES:
        raise _TooLarge


async def _read(receive: Receive) -> list[Message]:
    """Return the messages of a body, or those before the client went."""
    messages: list[Message] = []
    size = 0
    while True:
        message = await receive()
        messages.append(message)
        size += len(message.get("body", b""))
        if size > limits.BODY_BYTES:
            raise _TooLarge
        if not message.get("more_body", False):
            return messages


def _replayed(messages: list[Message], receive: Receive) -> Receive:
    waiting = iter(messages)

    async def replay() -> Message:
        message = next(waiting, None)
        return await receive() if message is None else message

    return replay
