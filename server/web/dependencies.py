"""What routes ask for: the parts of a running server."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Path
from starlette.requests import HTTPConnection

from ..export.report.page import ReportPage
from ..live.hub import Hub
from ..live.refusal_log import RefusalLog
from ..store.audit import Actor
from ..store.database import Store
from ..store.heatmaps.kept_cells import KeptCells
from ..store.runs import run_named
from .callers import Callers, actor, caller_of
from .metrics import Metrics
from .tokens import Token

_ID = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class Parts:
    """What one server is made of."""

    store: Store
    cells: KeptCells
    hub: Hub
    callers: Callers
    refusals: RefusalLog
    metrics: Metrics
    report_markup: Callable[[ReportPage], str]


def parts_of(connection: HTTPConnection) -> Parts:
    """Return the parts of the server that a request or a WebSocket came to."""
    return cast(Parts, connection.app.state.parts)


def _caller_of(connection: HTTPConnection) -> Token:
    """Return the token that a request brings, which the guard has let through."""
    caller = caller_of(connection.scope)
    assert caller is not None
    return caller


def _actor_of(connection: HTTPConnection) -> Actor:
    return actor(connection, _caller_of(connection))


def _store_of(connection: HTTPConnection) -> Store:
    return parts_of(connection).store


def _run_of(
    run: Annotated[
        str, Path(description="Its id, `NAME#N`, or a name: the live run, else the latest.")
    ],
    connection: HTTPConnection,
) -> str:
    """Return the id of the run that is meant; raises `AmbiguousRun`."""
    if _ID.fullmatch(run):
        return run
    with _store_of(connection).read() as reading:
        return run_named(reading, run)


async def _read_run_of(
    run: Annotated[str, Depends(_run_of)], parts: Annotated[Parts, Depends(parts_of)]
) -> str:
    """Return the id once all that came of the run is stored, for what is read after it.

    A page is told only of what comes while it is there, and loads what came before.
    """
    await parts.hub.stored(run)
    return run


PartsOf = Annotated[Parts, Depends(parts_of)]
ActorOf = Annotated[Actor, Depends(_actor_of)]
CallerOf = Annotated[Token, Depends(_caller_of)]
StoreOf = Annotated[Store, Depends(_store_of)]
RunOf = Annotated[str, Depends(_run_of)]
ReadRunOf = Annotated[str, Depends(_read_run_of)]
