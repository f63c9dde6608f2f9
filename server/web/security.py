"""Who may talk to the server: Host, Origin and token, and the headers of every answer."""

from __future__ import annotations

import ipaddress
import re
import secrets
import socket
from dataclasses import replace
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..live.refusal_log import RefusalLog
from .access_log import AccessLog
from .callers import Callers, actor, remember_caller
from .pages import STRANGER, Pages, Reader, reader_of
from .root_path import path_of
from .settings import Settings, is_loopback
from .sign_in import SIGN_IN, SIGN_OUT, UNKNOWN, sign_in_page, signed_in, without_token
from .tokens import ANYBODY, Right
from .users import BadUser
from .wrong_tokens import TooManyWrong

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; connect-src 'self'; font-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors "
)
"""Whoever may frame the page stands behind it."""
# Jupyter and marimo on this machine, and the notebooks of VS Code.
NOTEBOOKS = ("http://localhost:*", "http://127.0.0.1:*", "vscode-webview:", "vscode-file:")
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
TOKEN_WANTED = (
    "This server wants a token: open the URL that `gradgate serve` printed, or sign in on its "
    "page, or send `Authorization: Bearer TOKEN`."
)

_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_HTTP_SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# A health check, and the page that asks for a token with its look, hold nothing of any run.
_OPEN = ("/healthz", "/static/", SIGN_IN, SIGN_OUT)
_DATA = ("/api/", "/static/", "/healthz", "/metrics", "/openapi.json")
_INGEST = "/api/ingest"
# What is asked by a POST, since a GET has no body, and changes nothing.
_ASKED = re.compile(r"/api/runs/[^/]+/trial")


# Names and addresses of whoever acts, which those do not see who may only look.
_AUDIT = ("/api/audit", "/audit")


def secured(settings: Settings) -> Settings:
    """Return settings with a token, a new one when the address wants one and has none.

    Jobs and commands show one where users come by a proxy, too.
    """
    if not settings.has_token and (settings.users is not None or not settings.loopback):
        return replace(settings, token=secrets.token_urlsafe(24))
    return settings


def is_open_to_others(settings: Settings) -> bool:
    """Return whether a proxy or another name leads to a server that asks for no token."""
    names = [name for name in settings.allow_hosts if not is_loopback(name)]
    led = names or settings.proxies.allowed or settings.proxies.root_path
    return bool(led) and not secured(settings).has_token


class Policy:
    """What a server accepts, as questions without side effects."""

    def __init__(self, settings: Settings) -> None:
        self._loopback = settings.loopback
        self._allowed = {name.lower() for name in settings.allow_hosts}
        self._frames = settings.allow_frames
        self._own = {settings.host.lower()}
        if not settings.loopback:
            name = socket.gethostname().lower()
            self._own |= {name, name.partition(".")[0]}

    def host_fault(self, host: str | None) -> str | None:
        """Return why a Host header is refused; this is what stops DNS rebinding."""
        name = None if host is None else _host_name(host)
        if name is not None and self._answers_to(name):
            return None
        return (
            f"This server does not answer to the host {host!r}: "
            f"start it with `--allow-host {name or 'NAME'}` if it should."
        )

    def origin_fault(self, origin: str | None, scheme: str, host: str | None) -> str | None:
        """Return why an Origin header is refused; none at all means that no browser is asking.

        A page is the server's own when its origin is what the request came to, by this scheme and
        to this host: another port of the same name is another program's, and so may be what
        answers at the same name without TLS.
        """
        own = f"{scheme}://{host}"
        if origin is None or _without_default_port(origin) == _without_default_port(own):
            return None
        return (
            f"A page of {origin!r} may not use this server, which was asked as {own!r}: open the "
            "dashboard itself; a proxy before it has to pass the Host header on, and the scheme as "
            "X-Forwarded-Proto, from an address that `--forwarded-allow-ips` names."
        )

    def frame_ancestors(self, path: str) -> str:
        """Return who may show a page inside its own: notebooks the page of a run, and nobody else.

        What is reached from beyond this machine is shown by the notebooks that are named.
        """
        notebooks = (*(NOTEBOOKS if self._loopback else ()), *self._frames)
        return " ".join(notebooks) if path.startswith("/runs/") and notebooks else "'none'"

    def _answers_to(self, name: str) -> bool:
        if name in self._own or name in self._allowed or is_loopback(name):
            return True
        return not self._loopback and _is_address(name)


class Guard:
    """ASGI middleware that applies a policy, finds out who asks, and adds the security headers."""

    def __init__(
        self,
        app: ASGIApp,
        policy: Policy,
        callers: Callers,
        pages: Pages,
        refusals: RefusalLog,
        log: AccessLog,
    ) -> None:
        """`refusals` is told of each socket that is refused, `log` of who signs in."""
        self._app = app
        self._log = log
        self._refusals = refusals
        self._policy = policy
        self._callers = callers
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        answer = self._answer(scope)
        if scope["type"] == "http":
            send = _with_headers(send, self._policy.frame_ancestors(path_of(scope)))
        await (answer or self._app)(scope, receive, send)

    def _answer(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host = headers.get("host")
        if fault := self._policy.host_fault(host):
            return self._refusal(scope, 400, "Unknown host", fault)
        changes = scope["type"] == "websocket" or scope["method"] not in _SAFE_METHODS
        scheme = _HTTP_SCHEMES[scope["scheme"]]
        if changes and (fault := self._policy.origin_fault(headers.get("origin"), scheme, host)):
            return self._refusal(scope, 403, "Unknown origin", fault)
        return None if path_of(scope).startswith(_OPEN) else self._caller_answer(scope)

    def _caller_answer(self, scope: Scope) -> Response | None:
        connection = HTTPConnection(scope)
        data = scope["type"] == "websocket" or path_of(scope).startswith(_DATA)
        # Tokens in URLs end up in logs, so only pages take them, once.
        given = None if data else connection.query_params.get("token")
        try:
            caller = self._callers.caller(connection, given)
        except BadUser as error:
            return self._refusal(scope, 403, "No such user", str(error))
        except TooManyWrong as error:
            answer = self._refusal(scope, 429, "Too many wrong tokens", str(error))
            answer.headers["Retry-After"] = str(error.seconds)
            return answer
        remember_caller(scope, caller)
        if scope["type"] == "websocket":
            return None  # The two sockets speak of a missing token in their own ways.
        if caller is None and data:
            headers = {"WWW-Authenticate": "Bearer"}
            return JSONResponse({"detail": TOKEN_WANTED}, 401, headers)
        if caller is None:
            return sign_in_page(self._pages, connection, problem="" if given is None else UNKNOWN)
        if refusal := caller.refusal(wanted_right(scope)):
            return self._refusal(scope, 403, "Not allowed", refusal, reader_of(connection))
        if given is None or caller is ANYBODY:
            return None
        self._log.add(actor(connection, caller), "sign_in")
        return signed_in(connection, caller, without_token(connection))

    def _refusal(
        self, scope: Scope, status: int, title: str, message: str, reader: Reader = STRANGER
    ) -> Response:
        if scope["type"] == "websocket":
            self._refusals.refused(message, title.lower().replace(" ", "_"))
        if scope["type"] == "websocket" or path_of(scope).startswith(_DATA):
            return JSONResponse({"detail": message}, status)
        return self._pages.error(scope, status, title, message, reader)


def wanted_right(scope: Scope) -> Right:
    """Return what a request or a WebSocket wants to do, for every route that there may be.

    What is sent by another method than GET changes something, unless it is known not to. The audit
    log is for those who may.
    """
    path = path_of(scope)
    if scope["type"] == "websocket":
        return Right.INGEST if path == _INGEST else Right.LOOK
    looks = scope["method"] in _SAFE_METHODS or _ASKED.fullmatch(path)
    if path.rstrip("/") in _AUDIT:
        return Right.CHANGE
    return Right.LOOK if looks else Right.CHANGE


def _with_headers(send: Send, frame_ancestors: str) -> Send:
    added = HEADERS | {"Content-Security-Policy": CONTENT_SECURITY_POLICY + frame_ancestors}
    if frame_ancestors == "'none'":
        added["X-Frame-Options"] = "DENY"

    async def sender(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in added.items():
                headers.setdefault(name, value)
        await send(message)

    return sender


def _host_name(host: str) -> str | None:
    """Return the name in `name:port`, without the brackets of an IPv6 address."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def _without_default_port(origin: str) -> str:
    """Return an origin as browsers write it, without a port that its scheme implies."""
    lower = origin.lower()
    return lower.removesuffix(_DEFAULT_PORTS.get(lower.partition("://")[0], ""))


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
