"""The WebSocket of a browser (docs/protocol.md, section 2)."""

from __future__ import annotations

import logging
from contextlib import suppress

from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.websockets import WebSocket, WebSocketDisconnect

from ..protocol import limits
from ..protocol.browser_messages import FromBrowser
from ..store.database import Store
from ..store.refusals import UnknownRun
from .admission import Admission
from .connection import Refused
from .feed import Feed
from .hub import Hub
from .refusal_log import RefusalLog
from .subscriber import Subscriber
from .tasks import first_to_end

_log = logging.getLogger("gradgate.server")


async def serve_browser(
    websocket: WebSocket,
    hub: Hub,
    store: Store,
    run: str,
    admission: Admission,
    refusals: RefusalLog,
) -> None:
    """Send a browser what happens in a run until it goes, or its admission is taken back."""
    await websocket.accept()
    try:
        admission.check()
        with hub.browser(run) as subscriber:
            feed = Feed(websocket, store, run, subscriber)
            await first_to_end(
                feed.send(), _listen(websocket, subscriber, admission), admission.hold()
            )
    except Refused as refused:
        refusals.refused(f"a page's, {refused.message}", refused.reason)
        await _close(websocket, refused.code, refused.message)
    except UnknownRun as unknown:
        await _close(websocket, 1008, str(unknown))
    except SQLAlchemyError as error:
        _log.error("The store cannot be read for a browser of run %s: %s", run, error)
        reason = "The store cannot be read: see GET /healthz, and load the page again."
        await _close(websocket, 1011, reason)
    except WebSocketDisconnect:
        return


async def _listen(websocket: WebSocket, subscriber: Subscriber, admission: Admission) -> None:
    """Take over what the browser says that it shows, until it goes; raises `Refused`.

    One that may change nothing holds nothing: what it left in its tab was another's.
    """
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            return
        watched = _read(message.get("text") or "")
        if not admission.changes:
            watched = watched.model_copy(update={"holds": []})
        subscriber.watch(watched)


def _read(text: str) -> FromBrowser:
    if len(text) > limits.BODY_BYTES:
        raise Refused(f"A message of a page has at most {limits.BODY_BYTES} characters.")
    try:
        return FromBrowser.model_validate_json(text)
    except ValidationError as error:
        raise Refused("The page asks for what this server cannot read: load it again.") from error


async def _close(websocket: WebSocket, code: int, reason: str) -> None:
    """Say why, and close; a page that has not read what it was sent before is gone by then."""
    with suppress(WebSocketDisconnect):
        await websocket.close(code, reason=_short(reason))


def _short(reason: str) -> str:
    """Cut a close reason to 123 bytes of UTF-8 (RFC 6455, section 5.5)."""
    return reason.encode()[:123].decode(errors="ignore")
