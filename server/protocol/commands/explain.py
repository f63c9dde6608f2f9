"""The kind that asks why gradients are missing: explain."""

from __future__ import annotations

from typing import Literal

from ..fields import By, Count, Name
from ..models import Message, Request


class ExplainRequest(Request):
    """Trace the next step of a job, and say why gradients are missing."""

    kind: Literal["explain"]
    target: Name = "*"
    by: By = "api"


class ExplainCommand(Message):
    """A command for the probe: trace the next step, and say why gradients are missing."""

    type: Literal["command"] = "command"
    id: Count
    kind: Literal["explain"]
    target: Name
    by: Name
