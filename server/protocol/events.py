"""What happened in a run, as rows."""

from __future__ import annotations

from typing import Any, Literal

from .fields import AlertLevel
from .models import Row

EventKind = Literal[
    "nonfinite",
    "spike",
    "vanished",
    "absent",
    "dead",
    "not_moving",
    "drift",
    "command",
    "gate",
    "alert",
    "run",
]


class EventRow(Row):
    """One thing that happened, from `step` to `last_step`; it names the first 20 of `count`.

    `figures` holds the numbers that made it one, `dismissed` when a person put it aside.
    """

    id: int
    kind: EventKind
    level: AlertLevel
    time: float
    step: int
    last_step: int
    parameters: list[str]
    count: int
    sentence: str
    figures: dict[str, Any]
    dismissed: float | None


class EventRows(Row):
    """Answer of `GET /api/runs/{run}/events`."""

    events: list[EventRow]
