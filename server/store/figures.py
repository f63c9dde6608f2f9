"""How much of what a store holds, counted now and then for whoever watches the server."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, func, select

from ..protocol.commands.state import CommandState
from ..protocol.runs import RunStatus
from .database import Store
from .tables import OPEN_ALERT, commands, events, runs

FRESH = 15.0
"""Seconds for which what was counted is good."""


@dataclass(frozen=True)
class Figures:
    """What a store holds; `size` in bytes."""

    runs: Mapping[RunStatus, int]
    commands: Mapping[CommandState, int]
    open_alerts: int
    size: int


class KeptFigures:
    """Counts the runs, commands and open alerts of a store, once in `FRESH` seconds at most.

    No sample is looked at. Any thread may ask.
    """

    def __init__(self, store: Store, fresh: float = FRESH) -> None:
        self._store = store
        self._fresh = fresh
        self._lock = threading.Lock()
        self._figures: Figures | None = None
        self._until = 0.0

    def read(self) -> Figures:
        """Return what was counted of late; raises `SQLAlchemyError`."""
        with self._lock:
            if self._figures is None or time.monotonic() >= self._until:
                with self._store.read() as connection:
                    self._figures = _count(connection, self._store.size(connection))
                self._until = time.monotonic() + self._fresh
            return self._figures


def _count(connection: Connection, size: int) -> Figures:
    by_status = _counts(connection, runs.c.status)
    by_state = _counts(connection, commands.c.state)
    alerts = select(func.count()).select_from(events).where(OPEN_ALERT)
    return Figures(
        {status: by_status.get(status.value, 0) for status in RunStatus},
        {state: by_state.get(state.value, 0) for state in CommandState},
        connection.scalar(alerts) or 0,
        size,
    )


def _counts(connection: Connection, column: ColumnElement[str]) -> dict[str, int]:
    """Return how many rows have each value of a column."""
    counted = connection.execute(select(column, func.count()).group_by(column))
    return {str(value): int(count) for value, count in counted}
