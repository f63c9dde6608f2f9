"""The address of a server, as the script gives it and as the connection needs it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qs, urlsplit


@dataclass(frozen=True)
class ServerAddress:
    """Where a server is, and the token that it wants."""

    url: str
    """``http://host:8765``; checked by :func:`ingest_url`."""
    token: str | None = None

    @property
    def shown(self) -> str:
        """The URL as a person is told it, without a password, which a notebook would keep."""
        parts = urlsplit(self.url)
        host = parts.netloc.rpartition("@")[2]
        return f"{parts.scheme}://{host}{parts.path.rstrip('/')}"

    @property
    def ingest(self) -> str:
        """The address of the WebSocket."""
        return ingest_url(self.url)

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine."""
        return urlsplit(self.url).hostname in ("localhost", "127.0.0.1", "::1")


def server_address(url: str, token: str | None = None) -> ServerAddress:
    """Return where a server is, of a URL as `gradgate serve` prints it: with its token, perhaps.

    A ``token`` that is given beside it is taken first, and ``$GRADGATE_TOKEN`` last.
    """
    printed = parse_qs(urlsplit(url).query).get("token", [None])[0]
    return ServerAddress(url, token or printed or os.environ.get("GRADGATE_TOKEN"))


def ingest_url(url: str) -> str:
    """Return the WebSocket address of a server: ``http://host:8765`` → ``ws://host:8765/api/ingest``.

    Raises ValueError for an address of another kind.
    """
    parts = urlsplit(url)
    scheme = {"http": "ws", "https": "wss"}.get(parts.scheme)
    if scheme is None or not parts.hostname or not _has_valid_port(parts):
        raise ValueError(
            f"server={url!r} is no address of a dashboard; "
            "give one such as 'http://127.0.0.1:8765', or False for none."
        )
    return f"{scheme}://{parts.netloc}{parts.path.rstrip('/')}/api/ingest"


def _has_valid_port(parts: SplitResult) -> bool:
    try:
        return parts.port is None or parts.port > 0
    except ValueError:
        return False
