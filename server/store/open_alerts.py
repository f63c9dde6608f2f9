"""The alerts among the events of runs that nobody has dismissed, in short."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, func, select
from sqlalchemy.exc import DatabaseError

from .integrity import is_damage
from .tables import OPEN_ALERT, events


@dataclass(frozen=True, slots=True)
class OpenAlerts:
    """How many there are of a run, and the step to which the latest reaches."""

    count: int = 0
    last_step: int | None = None


def open_alerts(connection: Connection, run: str | None = None) -> Mapping[str, OpenAlerts]:
    """Return those of the runs that have any, or of one run; none where damage hides them."""
    query = (
        select(events.c.run, func.count(), func.max(events.c.last_step))
        .where(OPEN_ALERT)
        .group_by(events.c.run)
    )
    if run is not None:
        query = query.where(events.c.run == run)
    try:
        found = connection.execute(query).all()
    except DatabaseError as error:
        if not is_damage(error.orig):
            raise
        return {}
    return {name: OpenAlerts(count, last) for name, count, last in found}
