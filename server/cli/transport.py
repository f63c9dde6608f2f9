"""Requests to a server and its answers, over HTTP."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import OpenerDirector, ProxyHandler, Request, build_opener

from pydantic import BaseModel, ValidationError

from ..protocol.version import UPGRADE
from ..web.settings import is_loopback
from .errors import Broken, ClientError, Denied, Failed, Stranger, Unreachable

WITHIN = 20.0
"""Seconds for an answer; the server takes up to 10 to store a command."""
DOWNLOAD_WITHIN = 600.0
"""Seconds for the next piece of a file, which the server reads from a long history."""
_PIECE = 1 << 18


R = TypeVar("R", bound=BaseModel)


class Transport:
    """Talks to one server; every method raises `ClientError`."""

    def __init__(self, url: str, token: str | None) -> None:
        """Talk to the server at a URL without a slash at its end."""
        self._url = url
        self._token = token
        self._opener = _opener(url)

    def get(self, kind: type[R], path: str) -> R:
        """Return the answer to a GET."""
        return self._ask(kind, path, None)

    def post(self, kind: type[R], path: str, body: bytes) -> R:
        """Return the answer to a POST."""
        return self._ask(kind, path, body)

    def download(self, path: str) -> Iterator[bytes]:
        """Yield a file, piece by piece; one that ends too early raises `Broken`."""
        headers = {**self._headers(), "Accept": "*/*"}
        request = Request(self._url + path, headers=headers)
        with self._faults(), self._opener.open(request, timeout=DOWNLOAD_WITHIN) as answer:
            if answer.headers.get("Content-Disposition") is None:
                raise self._stranger()
            while piece := answer.read(_PIECE):
                yield piece

    def patch(self, kind: type[R], path: str, body: bytes) -> R:
        """Return the answer to a PATCH."""
        return self._ask(kind, path, body, "PATCH")

    def delete(self, path: str) -> None:
        """Ask for a DELETE."""
        self._send(Request(self._url + path, None, self._headers(), method="DELETE"))

    def _ask(self, kind: type[R], path: str, body: bytes | None, method: str | None = None) -> R:
        """Return the answer to a request: a GET, or with a body a POST, unless it is named."""
        text = self._send(Request(self._url + path, body, self._headers(), method=method))
        try:
            return kind.model_validate_json(text)
        except ValidationError as error:
            raise self._stranger() from error

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        return headers | ({"Authorization": f"Bearer {self._token}"} if self._token else {})

    def _send(self, request: Request) -> bytes:
        with self._faults(), self._opener.open(request, timeout=WITHIN) as answer:
            data: bytes = answer.read()
            return data

    @contextmanager
    def _faults(self) -> Iterator[None]:
        """Turn what goes wrong while a server is asked into a `ClientError`."""
        try:
            yield
        except HTTPError as error:
            with error:
                raise self._fault(error.code, error.read()) from error
        except URLError as error:
            if isinstance(error.reason, ssl.SSLCertVerificationError):
                raise Unreachable(
                    f"What answers at {self._url} shows a certificate that is not trusted here "
                    f"({error.reason}): if it is the server's, $SSL_CERT_FILE may name it, or "
                    "whoever signed it."
                ) from error
            raise Unreachable(
                f"No server answers at {self._url} ({_cause(error)}): start one with "
                "`gradgate serve`, or say where it is with --server."
            ) from error
        except (OSError, http.client.IncompleteRead) as error:
            raise self._broken() from error
        except http.client.HTTPException as error:
            raise self._stranger() from error

    def _fault(self, status: int, body: bytes) -> ClientError:
        if status == 401:
            given = "not the one that was given" if self._token else "and none was given"
            return Denied(
                f"The server at {self._url} wants a token, {given}: take it from the URL that "
                "`gradgate serve` printed, and give it with --token or $GRADGATE_TOKEN."
            )
        detail = _detail(body)
        return self._stranger() if detail is None else Failed(status, detail)

    def _stranger(self) -> Stranger:
        return Stranger(
            f"What answers at {self._url} is no Gradgate server of this version: correct --server, "
            f"or upgrade the older of the two by {UPGRADE}."
        )

    def _broken(self) -> Broken:
        return Broken(f"The connection to {self._url} ended before the answer came.")


def _opener(url: str) -> OpenerDirector:
    # A proxy from the environment is right for a remote server and wrong for this machine.
    if is_loopback(urlsplit(url).hostname or ""):
        return build_opener(ProxyHandler({}))
    return build_opener()


def _cause(error: URLError) -> str:
    reason = error.reason
    return (reason.strerror or str(reason)) if isinstance(reason, OSError) else str(reason)


def _detail(body: bytes) -> str | None:
    """Return the sentence in an error's body, or the sentences about each field that is wrong.

    The health of a server has its sentence in what it says of the store.
    """
    try:
        answer = json.loads(body)
    except ValueError:
        return None
    if not isinstance(answer, dict):
        return None
    store = answer.get("store")
    detail = store.get("error") if isinstance(store, dict) else answer.get("detail")
    if isinstance(detail, list):
        return " ".join(_field_fault(fault) for fault in detail if isinstance(fault, dict))
    return detail if isinstance(detail, str) else None


def _field_fault(fault: Mapping[str, Any]) -> str:
    place = ".".join(str(part) for part in fault.get("loc", ())[1:])
    message = str(fault.get("msg", "is wrong")).removeprefix("Value error, ")
    return f"{place}: {message}." if place else f"{message}."
