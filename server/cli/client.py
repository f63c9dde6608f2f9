"""A running server as the command line asks it, over its REST API."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import OpenerDirector, ProxyHandler, Request, build_opener

from pydantic import BaseModel, ValidationError

from ..protocol.alerts import Alert, AlertRows
from ..protocol.commands.change import ChangeRequest
from ..protocol.commands.registry import AnyRequest
from ..protocol.commands.row import CommandRow
from ..protocol.effects import Preview
from ..protocol.explanations import ExplanationRows
from ..protocol.gates import GateRow, GateRows
from ..protocol.runs import RunRow, Runs
from ..protocol.trials import Trial, TrialRequest
from ..web.settings import is_loopback

WITHIN = 20.0
"""Seconds for an answer; the server takes up to 10 to store a command."""

R = TypeVar("R", bound=BaseModel)


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


class Client:
    """Asks one server; every method raises `ClientError`."""

    def __init__(self, url: str, token: str | None) -> None:
        """Ask the server at a URL such as `http://127.0.0.1:8765`, without a slash at its end."""
        self.url = url
        self._token = token
        self._opener = _opener(url)

    def runs(self) -> list[RunRow]:
        """Every run, newest first."""
        return self._get(Runs, "/api/runs").runs

    def run(self, run: str) -> RunRow:
        """One run."""
        return self._get(RunRow, _path(run))

    def command(self, run: str, number: int) -> CommandRow:
        """One command."""
        return self._get(CommandRow, f"{_path(run)}/commands/{number}")

    def preview(self, run: str, asked: ChangeRequest) -> Preview:
        """What a command would touch."""
        change = asked.model_dump(include=set(ChangeRequest.model_fields), mode="json")
        query = {name: _query_value(value) for name, value in change.items()}
        return self._get(Preview, f"{_path(run)}/preview?{urlencode(query)}")

    def gates(self, run: str) -> list[GateRow]:
        """Every gate of a run."""
        return self._get(GateRows, f"{_path(run)}/gates").gates

    def explanations(self, run: str, match: str) -> ExplanationRows:
        """Why what a target means has no useful gradient, as far as is known."""
        query = urlencode({"match": match})
        return self._get(ExplanationRows, f"{_path(run)}/explanations?{query}")

    def alerts(self, run: str) -> list[Alert]:
        """The alerts of a run."""
        return self._get(AlertRows, f"{_path(run)}/alerts").alerts

    def trial(self, run: str, asked: TrialRequest) -> Trial:
        """How a gate would have fared."""
        return self._ask(Trial, f"{_path(run)}/trial", asked.model_dump_json().encode())

    def request(self, run: str, asked: AnyRequest) -> CommandRow:
        """Ask for a change."""
        return self._ask(CommandRow, f"{_path(run)}/commands", asked.model_dump_json().encode())

    def _get(self, kind: type[R], path: str) -> R:
        return self._ask(kind, path, None)

    def _ask(self, kind: type[R], path: str, body: bytes | None) -> R:
        """The answer to a GET, or to a POST of a body."""
        text = self._send(Request(self.url + path, body, self._headers()))
        try:
            return kind.model_validate_json(text)
        except ValidationError as error:
            raise self._stranger() from error

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        return headers | ({"Authorization": f"Bearer {self._token}"} if self._token else {})

    def _send(self, request: Request) -> bytes:
        try:
            with self._opener.open(request, timeout=WITHIN) as answer:
                data: bytes = answer.read()
                return data
        except HTTPError as error:
            with error:
                raise self._fault(error.code, error.read()) from error
        except URLError as error:
            raise Unreachable(
                f"No server answers at {self.url} ({_cause(error)}): start one with "
                "`gradgate serve`, or say where it is with --server."
            ) from error
        except http.client.HTTPException as error:
            if not isinstance(error, http.client.RemoteDisconnected):
                raise self._stranger() from error
            raise self._broken() from error
        except OSError as error:
            raise self._broken() from error

    def _fault(self, status: int, body: bytes) -> ClientError:
        if status == 401:
            given = "not the one that was given" if self._token else "and none was given"
            return Denied(
                f"The server at {self.url} wants a token, {given}: take it from the URL that "
                "`gradgate serve` printed, and give it with --token or $GRADGATE_TOKEN."
            )
        detail = _detail(body)
        return self._stranger() if detail is None else Failed(status, detail)

    def _stranger(self) -> Stranger:
        return Stranger(
            f"What answers at {self.url} is no Gradgate server of this version: correct --server, "
            "or upgrade the older of the two with `pip install --upgrade gradgate`."
        )

    def _broken(self) -> Broken:
        return Broken(f"The connection to {self.url} ended before the answer came.")


def _opener(url: str) -> OpenerDirector:
    # A proxy from the environment is right for a remote server and wrong for this machine.
    if is_loopback(urlsplit(url).hostname or ""):
        return build_opener(ProxyHandler({}))
    return build_opener()


def _path(run: str) -> str:
    return f"/api/runs/{quote(run, safe='')}"


def _query_value(value: str | bool) -> str:
    return value if isinstance(value, str) else str(value).lower()


def _cause(error: URLError) -> str:
    reason = error.reason
    return (reason.strerror or str(reason)) if isinstance(reason, OSError) else str(reason)


def _detail(body: bytes) -> str | None:
    """The sentence in an error's body, or the sentences about each field that is wrong."""
    try:
        answer = json.loads(body)
    except ValueError:
        return None
    detail = answer.get("detail") if isinstance(answer, dict) else None
    if isinstance(detail, list):
        return " ".join(_field_fault(fault) for fault in detail if isinstance(fault, dict))
    return detail if isinstance(detail, str) else None


def _field_fault(fault: Mapping[str, Any]) -> str:
    place = ".".join(str(part) for part in fault.get("loc", ())[1:])
    message = str(fault.get("msg", "is wrong")).removeprefix("Value error, ")
    return f"{place}: {message}." if place else f"{message}."
