"""What routes ask for: the parts of a running server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends
from starlette.requests import HTTPConnection

from ..export.report.page import ReportPage
from ..live.hub import Hub
from ..store.database import Store
from ..store.heatmaps.kept_cells import KeptCells
from .security import Policy


@dataclass(frozen=True)
class Parts:
    """What one server is made of."""

    store: Store
    cells: KeptCells
    hub: Hub
    policy: Policy
    report_markup: Callable[[ReportPage], str]


def parts_of(connection: HTTPConnection) -> Parts:
    """Return the parts of the server that a request or a WebSocket came to."""
    return cast(Parts, connection.app.state.parts)


def _store_of(connection: HTTPConnection) -> Store:
    return parts_of(connection).store


PartsOf = Annotated[Parts, Depends(parts_of)]
StoreOf = Annotated[Store, Depends(_store_of)]
