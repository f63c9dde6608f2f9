"""What a job tells unasked: of a parameter, or of the whole run."""

from __future__ import annotations

from .fields import AlertCause, AlertLevel, Count, Index, ParameterName, Place, Text
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


class AlertRows(Row):
    """Answer of `GET /api/runs/{run}/alerts`: the first 2,000, notes behind alerts."""

    alerts: list[Alert]
