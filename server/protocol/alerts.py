"""A parameter that ought to train and does not."""

from __future__ import annotations

from .fields import Cause, Count, Index, ParameterName, Text
from .models import Message, Row


class Alert(Message):
    """A parameter that was expected to train, and has no useful gradient since a step."""

    parameter: Index
    name: ParameterName
    since_step: Count
    cause: Cause | None
    detail: Text | None


class AlertRows(Row):
    """Answer of `GET /api/runs/{run}/alerts`: the first 2,000."""

    alerts: list[Alert]
