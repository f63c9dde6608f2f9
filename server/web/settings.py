"""What a person can set about a server."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import URL

from ..events.thresholds import Thresholds
from ..notify.notifier import Wanted
from ..store.keep import KEEP_ALL, Keep
from .proxies import Proxies
from .tokens import Token
from .users import Users

DEFAULT_PORT = 8765
# An origin of the web, as a Content-Security-Policy has it.
ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?")


@dataclass(frozen=True)
class Tls:
    """The certificate that a server shows, with those that lead to a known one, and its key."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class Settings:
    """The settings of one server; `port` 0 takes a free one, `lost_after` is in seconds.

    What is kept lies in the folder `data`, or in the PostgreSQL data base `store` when there is
    one (`store.postgresql.database_url` reads its address).
    """

    data: Path
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    token: str | None = None
    allow_hosts: tuple[str, ...] = ()
    lost_after: float = 10.0
    store: URL | None = None
    keep: Keep = KEEP_ALL
    thresholds: Thresholds = field(default_factory=Thresholds)
    notify: Wanted = field(default_factory=Wanted)
    allow_frames: tuple[str, ...] = ()
    """Origins of notebooks that may show the page of a run, beside those of this machine."""
    tokens: tuple[Token, ...] = ()
    """Tokens with a name, beside `token`, which has none and allows everything."""
    token_file: Path | None = None
    """A file of more of them, which is read again when it changes."""
    tls: Tls | None = None
    """With it the server speaks HTTPS, and nothing else."""
    expire_after: float = 600.0
    """Seconds after which a command that no job has heard of is not applied any more."""
    proxies: Proxies = field(default_factory=Proxies)
    """What stands before the server, and is believed."""
    users: Users | None = None
    """Users whom those proxies name, in the place of tokens."""

    @property
    def wants_token(self) -> bool:
        """Return whether nobody is let in who shows no token, and whom no proxy names."""
        return self.has_token or self.users is not None

    @property
    def has_token(self) -> bool:
        """Return whether there is a token that somebody may show."""
        return self.token is not None or bool(self.tokens) or self.token_file is not None

    @property
    def loopback(self) -> bool:
        """Return whether only this machine can reach the server."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Return whether a name or address is this machine's own."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
