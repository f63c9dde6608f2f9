"""What may come instead of an answer of the server."""

from __future__ import annotations


class ClientError(Exception):
    """There is no answer to what was asked; the message says why and what to do."""


class Unreachable(ClientError):
    """No server is there; nothing was asked."""


class Broken(ClientError):
    """The connection ended before the answer; what was asked may have been done."""


class Denied(ClientError):
    """The server wants another token."""


class Stranger(ClientError):
    """What answers is no Gradgate server of this version."""


class Failed(ClientError):
    """The server answers that it will not, or cannot; `status` is that of HTTP."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
