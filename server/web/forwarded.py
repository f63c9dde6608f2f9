"""What a proxy says of where a request came from."""

from __future__ import annotations

import logging
from collections.abc import Container
from contextlib import suppress

from starlette.types import ASGIApp, Receive, Scope, Send

from .callers import remember_user
from .proxies import BadProxy, Proxies, address_of
from .root_path import put_below, read_root_path
from .users import BadUser, User, Users

FOR, PROTO, HOST = b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host"
PREFIX = b"x-forwarded-prefix"
_NAMES = frozenset((FOR, PROTO, HOST, PREFIX))
_SCHEMES = {b"http": ("http", "ws"), b"https": ("https", "wss"), b"ws": ("http", "ws")}
_SCHEMES[b"wss"] = _SCHEMES[b"https"]

_log = logging.getLogger("gradgate.server")


class Forwarded:
    """ASGI middleware that takes the word of the proxies that are trusted, and of nobody else.

    What is said is taken out of the request, so that nothing behind can read it. Of a list, which
    each proxy writes on, what the nearest has seen is the last.

    Uvicorn has the like, for the address and the scheme. It trusts 127.0.0.1 unless told not to,
    takes a proxy that came to an IPv6 socket by IPv4 for another, and what is no address for one.
    """

    def __init__(self, app: ASGIApp, proxies: Proxies, users: Users | None = None) -> None:
        """`users`: in which headers trusted proxies name them."""
        self._app = app
        self._proxies = proxies
        self._users = users
        self._said = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, as it was before the proxies."""
        if scope["type"] != "lifespan":
            told = _taken(scope, _NAMES)
            named = {} if self._users is None else _taken(scope, self._users.headers)
            client = scope.get("client")
            peer = "" if client is None else client[0]
            root = self._proxies.root_path
            if self._proxies.trust(peer):
                self._believe(scope, told)
                root = _root(told) or root
                if self._users is not None:
                    remember_user(scope, _user(self._users, named))
            elif (told or named) and not self._said:
                self._said = True
                _log.warning(
                    "%s sends headers as a proxy does (X-Forwarded-…), which are ignored: if that "
                    "is your proxy, start the server with --forwarded-allow-ips %s.",
                    peer,
                    peer,
                )
            put_below(scope, root)
        await self._app(scope, receive, send)

    def _believe(self, scope: Scope, told: dict[bytes, list[bytes]]) -> None:
        if scheme := _SCHEMES.get(_last(told, PROTO).lower()):
            scope["scheme"] = scheme[scope["type"] == "websocket"]
        if host := _last(told, HOST):
            others = [pair for pair in scope["headers"] if pair[0] != b"host"]
            scope["headers"] = [(b"host", host), *others]
        if client := self._client(_all(told, FOR)):
            scope["client"] = (client, 0)

    def _client(self, said: list[bytes]) -> str | None:
        """Return who asked the farthest trusted proxy; None for nobody that is known."""
        client = None
        for each in reversed(said):
            address = address_of(_host(each.decode("latin-1")))
            if address is None:
                break
            client = str(address)
            if not self._proxies.trust(client):
                break
        return client


def _taken(scope: Scope, names: Container[bytes]) -> dict[bytes, list[bytes]]:
    """Take headers out, and return what each says, a list for each name."""
    told: dict[bytes, list[bytes]] = {}
    for name, value in scope["headers"]:
        if name in names:
            told.setdefault(name, []).append(value)
    scope["headers"] = [pair for pair in scope["headers"] if pair[0] not in names]
    return told


def _user(users: Users, named: dict[bytes, list[bytes]]) -> User | BadUser | None:
    """Return who is named, or why that cannot be; an answer is made of it where it matters."""
    groups = [] if users.groups_header is None else named.get(users.groups_header, [])
    try:
        return users.user(named.get(users.header, []), groups)
    except BadUser as error:
        return error


def _all(told: dict[bytes, list[bytes]], name: bytes) -> list[bytes]:
    """Return what a list says that each proxy writes on, in one header or in several."""
    return [each.strip() for each in b",".join(told.get(name, [])).split(b",")]


def _last(told: dict[bytes, list[bytes]], name: bytes) -> bytes:
    return _all(told, name)[-1]


def _root(told: dict[bytes, list[bytes]]) -> str:
    """Return the path that the nearest proxy has taken off, "" for none that can be."""
    with suppress(BadProxy):
        return read_root_path(_last(told, PREFIX).decode("latin-1"))
    return ""


def _host(said: str) -> str:
    """Return the address in `address`, `address:port` (IPv4) or `[address]:port` (IPv6)."""
    if said.startswith("["):
        return said[1:].partition("]")[0]
    return said.partition(":")[0] if said.count(":") == 1 else said
