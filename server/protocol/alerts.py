"""What a job tells unasked: of a parameter, or of the whole run."""

from __future__ import annotations

from pydantic import Field

from .fields import AlertCause, AlertLevel, Count, Index, Indexes, ParameterName, Place, Text
from .models import Message, Row


class Alert(Message):
    """What is wrong, or as a note worth knowing; without a parameter it is of the whole run."""

    parameter: Index | None
    name: ParameterName | None
    since_step: Count
    cause: AlertCause | None
    detail: Text | None
    where: Place | None = None
    level: AlertLevel = "alert"
    others: Indexes = Field(default_factory=list)
    """Further parameters of which the same is told."""


class AlertRows(Row):
    """Answer of `GET /api/runs/{run}/alerts`: the first 2,000, notes behind alerts."""

    alerts: list[Alert]
