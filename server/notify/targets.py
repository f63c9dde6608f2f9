"""Where notifications go: a webhook, or one of the services of Apprise."""

from __future__ import annotations

import json
import logging
from http.client import HTTPException
from typing import Any, Protocol
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import SandboxedEnvironment

from ..protocol.events import EventRow

WITHIN = 10.0
"""Seconds for each answer of a webhook."""

DEFAULT_TEMPLATE = """{
  "text": {{ text | tojson }},
  "more": {{ more }},
  "run": {{ run | tojson }},
  "event": {{ event | tojson }}
}"""
"""The body of a webhook: docs/events.md names the fields."""


_NO_JSON = (TemplateError, ValueError, TypeError)


class BadNotification(ValueError):
    """Notifications cannot be sent as they are asked for; the message says what to do."""


class NotSent(Exception):
    """A notification was not taken; the message says why, without what is secret."""


class Told:
    """What a notification says: an event of a run, and how many before it were left out."""

    def __init__(self, run: str, name: str, event: EventRow, more: int) -> None:
        self.run = {"id": run, "name": name}
        self.event = event
        self.more = more

    @property
    def text(self) -> str:
        """Return it in one sentence or two."""
        more = f" ({self.more:,} more events before it were not sent.)" if self.more else ""
        return f"{self.run['name']}: {self.event.sentence}{more}"


class Target(Protocol):
    """Takes notifications; `name` says which it is, without what is secret."""

    name: str

    def send(self, told: Told) -> None:
        """Send a notification; raises `NotSent`."""


class _NoRedirects(HTTPRedirectHandler):
    """Follows no redirect: what is posted would be left out on the way."""

    def redirect_request(self, *_: object) -> None:
        return None


class Webhook:
    """An address that a JSON body is posted to, as a template makes it."""

    def __init__(self, url: str, template: str) -> None:
        """Raise `BadNotification` for a template that makes no JSON of an event."""
        self.name = masked(url)
        self._url = url
        environment = SandboxedEnvironment(undefined=StrictUndefined)
        try:
            self._template = environment.from_string(template)
            self._body(_SAMPLE)
        except _NO_JSON as error:
            raise BadNotification(
                f"The template of notifications makes no JSON body of an event ({error}): see "
                "docs/events.md for its fields, and write texts as `{{ text | tojson }}`."
            ) from error

    def send(self, told: Told) -> None:
        """Post a body; raises `NotSent`."""
        headers = {"Content-Type": "application/json", "User-Agent": "gradgate"}
        try:
            body = self._body(told)
        except _NO_JSON as error:
            raise NotSent(f"its template makes no JSON of a {told.event.kind}: {error}") from error
        request = Request(self._url, body, headers, method="POST")
        try:
            with build_opener(_NoRedirects).open(request, timeout=WITHIN):
                return
        except HTTPError as error:
            raise NotSent(f"it answered {error.code}") from error
        except (OSError, HTTPException, ValueError) as error:
            reason = getattr(error, "reason", None)
            raise NotSent(f"{type(reason or error).__name__}") from error

    def _body(self, told: Told) -> bytes:
        event = told.event.model_dump(mode="json")
        text = self._template.render(text=told.text, more=told.more, run=told.run, event=event)
        return json.dumps(json.loads(text)).encode()


class AppriseService:
    """One of the services that Apprise knows by a URL."""

    def __init__(self, url: str) -> None:
        """Raise `BadNotification` when Apprise is not there or does not know the URL."""
        try:
            from apprise import Apprise
        except ImportError as error:
            raise BadNotification(
                f"Notifications to {masked(url)} want Apprise: `pip install apprise`."
            ) from error
        # What it logs may hold the URL.
        logging.getLogger("apprise").setLevel(logging.CRITICAL)
        self.name = masked(url)
        self._service = Apprise()
        if not self._service.add(url):
            raise BadNotification(
                f"Apprise knows no service of {masked(url)}, or something is missing in the URL: "
                "its documentation has the URL of each service."
            )

    def send(self, told: Told) -> None:
        """Send a notification; raises `NotSent`."""
        title = f"{told.run['name']}: {told.event.kind}"
        if not self._service.notify(body=told.text, title=title):
            raise NotSent("the service did not take it")


def target_of(url: str, template: str | None) -> Target:
    """Return what a URL stands for: http and https are webhooks, all else is Apprise's.

    Raises `BadNotification`.
    """
    try:
        parts = urlsplit(url)
        webhook = parts.scheme in ("http", "https")
        if webhook and not parts.hostname:
            raise ValueError
    except ValueError as error:
        raise BadNotification(
            f"{masked(url)} is no address: give one such as https://host/path."
        ) from error
    return Webhook(url, template or DEFAULT_TEMPLATE) if webhook else AppriseService(url)


def masked(url: str) -> str:
    """Return a URL without what may be secret: the path, the query, a user, or a service's host."""
    scheme, colon, _ = url.partition("://")
    if not colon:
        return "…"
    try:
        host = urlsplit(url).hostname if scheme in ("http", "https") else None
    except ValueError:
        host = None
    return f"{scheme}://{host or ''}…"


_FIGURES: dict[str, Any] = {"total": {"value": 1.0, "median": 0.1, "ratio": 10.0, "factor": 10.0}}
_SAMPLE = Told(
    "0" * 16,
    "run",
    EventRow(
        id=1,
        kind="spike",
        level="alert",
        time=0.0,
        step=1,
        last_step=1,
        parameters=["a.weight"],
        count=1,
        sentence='A "sentence".',
        figures=_FIGURES,
        dismissed=None,
    ),
    0,
)
"""What a template is tried with."""
