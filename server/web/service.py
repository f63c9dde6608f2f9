"""A server in the background of this process."""

from __future__ import annotations

import errno
import logging
import socket
import ssl
import sys
import threading
import time
from urllib.parse import quote

import uvicorn

from ..protocol import limits
from .app import create_app
from .handshakes import WebSockets
from .http_connections import HttpConnection, most_connections
from .security import secured
from .settings import Settings, Tls
from .shutdown import ANSWERS_WITHIN, StoppingServer

# Frames between the protocol's limit and this one are read, so that the probe is told what is
# wrong; larger ones end the connection with code 1009 and without a message.
_FRAME_BYTES_READ = 2 * limits.FRAME_BYTES
STOPS_WITHIN = 10.0
"""Seconds after which a server that was told to stop has ended, whatever it was doing."""
_POLL = 0.01
_log = logging.getLogger("gradgate.server")


class ServiceError(Exception):
    """The server cannot start; the message says what to do."""


class Service:
    """One server: it binds at once, serves from a thread of its own, and stops cleanly.

    Works as a context manager too. Raises `ServiceError` when the address cannot be used, and
    `StoreError` when the store cannot.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = secured(settings)
        tls = _checked(settings.tls)
        listener = _listen(settings.host, settings.port)
        self.port: int = listener.getsockname()[1]
        try:
            app = create_app(self.settings)
        except BaseException:
            listener.close()
            raise
        config = uvicorn.Config(
            app,
            log_config=None,
            # What it says to debug it has the headers of sockets, and so tokens.
            log_level=max(logging.INFO, logging.getLogger().getEffectiveLevel()),
            access_log=False,
            lifespan="on",
            http=HttpConnection,
            limit_concurrency=most_connections(),
            ws=WebSockets,
            ws_max_size=_FRAME_BYTES_READ,
            ws_per_message_deflate=False,
            server_header=False,
            proxy_headers=False,
            # Of what is left then, threads alone are waited for.
            timeout_graceful_shutdown=int(ANSWERS_WITHIN) + 1,
            ssl_certfile=None if tls is None else tls.certificate,
            ssl_keyfile=None if tls is None else tls.key,
        )
        self._server = StoppingServer(config)
        self._thread = threading.Thread(
            target=self._server.run, args=([listener],), name="gradgate-server", daemon=True
        )

    @property
    def url(self) -> str:
        """Return the address of the dashboard, with the token when one is wanted."""
        query = (
            "" if self.settings.token is None else f"/?token={quote(self.settings.token, safe='')}"
        )
        scheme = "http" if self.settings.tls is None else "https"
        place = f"{_display_host(self.settings.host)}:{self.port}{self.settings.proxies.root_path}"
        return f"{scheme}://{place}{query}"

    @property
    def running(self) -> bool:
        """Return whether the server still serves."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Serve; returns when connections are accepted."""
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise ServiceError("The server ended while it started: its log above says why.")
            time.sleep(_POLL)

    def stop(self) -> None:
        """Close every connection, store what came and end, within `STOPS_WITHIN` seconds."""
        self._server.should_exit = True
        self._thread.join(STOPS_WITHIN)
        if self._thread.is_alive():
            _log.error(
                "The server did not end within %.0f seconds, and is left as it is: what was not "
                "stored was not acknowledged, and jobs send it again.",
                STOPS_WITHIN,
            )

    def __enter__(self) -> Service:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()


def _checked(tls: Tls | None) -> Tls | None:
    """Return what is to be served with, once it can be; raises `ServiceError`."""
    if tls is None:
        return None
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # A key with a password is no key here: nobody is there to be asked.
        context.load_cert_chain(tls.certificate, tls.key, lambda: "")
    except (OSError, ValueError) as error:
        raise ServiceError(
            f"The certificate {tls.certificate} and the key {tls.key} cannot be used ({error}): "
            "give a certificate and its own key, both in PEM and the key without a password."
        ) from error
    return tls


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise ServiceError(
            f"The host {host!r} is not known ({error.strerror}): give an address of this machine "
            "with --host."
        ) from error
    listener = socket.socket(family, kind, protocol)
    try:
        if sys.platform != "win32":
            # A restarted server gets its port back; on Windows two servers could share one.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise ServiceError(_listen_fault(host, port, error)) from error
    return listener


def _listen_fault(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} of {host} is in use, perhaps by another `gradgate serve`: stop that, "
            "or choose another port with --port (0 takes a free one)."
        )
    return (
        f"The address {host}:{port} cannot be used ({error.strerror}): "
        "choose another with --host and --port."
    )


def _display_host(host: str) -> str:
    if host in ("0.0.0.0", "::", ""):
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host
