"""The routes of events: what happened in a run."""

from __future__ import annotations

from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Annotated

from fastapi import HTTPException, Path, Query

from ...protocol import limits
from ...protocol.events import EventKind, EventRow, EventRows
from ...protocol.fields import AlertLevel, Label, ParameterName
from ...store.events import event_rows
from ..dependencies import ActorOf, PartsOf, ReadRunOf, RunOf, StoreOf
from .commands import STORE_PATIENCE

Step = Annotated[int | None, Query(ge=0, le=limits.NUMBER)]


def list_events(
    run: ReadRunOf,
    store: StoreOf,
    kind: Annotated[list[EventKind] | None, Query()] = None,
    first_step: Annotated[Step, Query(alias="from")] = None,
    last_step: Annotated[Step, Query(alias="to")] = None,
    parameter: Annotated[ParameterName | None, Query()] = None,
    level: AlertLevel | None = None,
    text: Annotated[Label | None, Query()] = None,
    after: Annotated[int | None, Query(ge=0, le=limits.NUMBER)] = None,
    before: Annotated[int | None, Query(ge=0, le=limits.NUMBER)] = None,
    dismissed: bool = True,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 100,
) -> EventRows:
    """What happened, newest first: of some kinds, between two steps, of a parameter, of a level,
    with a text in the sentence, after an id, before one.

    With `dismissed=false` those that a person put aside are left out.
    """
    with store.read() as connection:
        rows = event_rows(
            connection,
            run,
            limit=limit,
            kinds=kind or (),
            first_step=first_step,
            last_step=last_step,
            parameter=parameter,
            level=level,
            text=text,
            after=after,
            before=before,
            dismissed=dismissed,
        )
    return EventRows(events=rows)


def post_dismissal(
    run: RunOf,
    number: Annotated[int, Path(ge=0, le=limits.NUMBER)],
    parts: PartsOf,
    actor: ActorOf,
    dismissed: bool = True,
) -> EventRow:
    """Put an event aside; with `dismissed=false` take it up again."""
    try:
        changed = parts.hub.requests.dismiss(run, number, dismissed=dismissed, actor=actor)
        return changed.result(STORE_PATIENCE)
    except FutureTimeoutError as error:
        raise HTTPException(
            503, "The store is busy, and the event may still be put aside: see GET /healthz."
        ) from error
