"""The address of a server, as the script gives it and as the connection needs it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]+")
"""What an Authorization header can carry (RFC 6750, section 2.1)."""


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

    A ``token`` that is given beside it is taken first, and ``$GRADGATE_TOKEN`` last. Raises
    ValueError for a token that no server can have, and what :func:`ingest_url` raises.
    """
    ingest_url(url)
    printed = parse_qs(urlsplit(url).query).get("token", [None])[0]
    token = token or printed or os.environ.get("GRADGATE_TOKEN") or None
    if token is not None and not _TOKEN.fullmatch(token):
        raise ValueError(
            "the token for the server is none that it can have: copy it once more, from the URL "
            "that `gradgate serve` printed or from the file of tokens."
        )
    return ServerAddress(url, token)


def ingest_url(url: str) -> str:
    """Return the WebSocket address of a server: ``http://host:8765`` → ``ws://host:8765/api/ingest``.

    Raises ValueError for an address of another kind.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _no_address(url) from None
    scheme = {"http": "ws", "https": "wss"}.get(parts.scheme)
    if scheme is None or not parts.hostname or port == 0:
        raise _no_address(url)
    return f"{scheme}://{parts.netloc}{parts.path.rstrip('/')}/api/ingest"


def _no_address(url: str) -> ValueError:
    """Make a sentence without what may be a password or a token in what was given."""
    shown = re.split("[?#]", url)[0].rpartition("@")[2]
    return ValueError(
        f"server={shown!r} is no address of a dashboard; "
        "give one such as 'http://127.0.0.1:8765', or False for none."
    )
