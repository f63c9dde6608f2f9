"""The alerts among the events of runs that nobody has dismissed, in short."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from .tables import OPEN_ALERT, events


@dataclass(frozen=True, slots=True)
class OpenAlerts:
    """How many there are of a run, and the step to which the latest reaches."""

    count: int = 0
    last_step: int | None = None


def open_alerts(connection: Connection, run: str | None = None) -> Mapping[str, OpenAlerts]:
    """Return those of the runs that have any, or of one run."""
    query = (
        select(events.c.run, func.count(), func.max(events.c.last_step))
        .where(OPEN_ALERT)
        .group_by(events.c.run)
    )
    if run is not None:
        query = query.where(events.c.run == run)
    return {found: OpenAlerts(count, last) for found, count, last in connection.execute(query)}
