"""The kind that asks why gradients are missing: explain."""

from __future__ import annotations

from typing import Literal

from ..fields import By, Count, Name
from ..models import CommandMessage, Request
from .kind import CommandKind
from .state import CommandState


class ExplainRequest(Request):
    """Trace the next step of a job, and say why gradients are missing."""

    kind: Literal["explain"]
    target: Name = "*"
    by: By = "api"


class ExplainCommand(CommandMessage):
    """A command for the probe: trace the next step, and say why gradients are missing."""

    type: Literal["command"] = "command"
    id: Count
    kind: Literal["explain"]
    target: Name
    by: Name


class Explain(CommandKind):
    """Trace the next step, and say why gradients are missing."""

    name = "explain"
    message = ExplainCommand
    # It changes nothing that could be verified: the answer is all.
    done = CommandState.APPLIED
