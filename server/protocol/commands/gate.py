"""The kinds that make, change and remove gates: gate and ungate."""

from __future__ import annotations

from typing import Literal

from pydantic import FiniteFloat

from ..fields import Action, By, Count, Name, Site, Text
from ..gates import GateFields
from ..models import Message, Request


class GateRequest(GateFields):
    """Make a gate, or with `gate` give that one these fields."""

    kind: Literal["gate"]
    paused: bool = False
    gate: Count | None = None
    by: By = "api"

    @property
    def target(self) -> str:
        """What the log calls the place."""
        return self.site


class UngateRequest(Request):
    """Remove a gate."""

    kind: Literal["ungate"]
    gate: Count
    by: By = "api"

    @property
    def target(self) -> str:
        """What the log calls the place."""
        return f"gate {self.gate}"


class GateCommand(Message):
    """A command for the probe: make a gate, or with `gate` give that one these fields."""

    type: Literal["command"] = "command"
    id: Count
    kind: Literal["gate"]
    target: None = None
    site: Site
    when: Text
    action: Action
    factor: FiniteFloat | None
    max_norm: FiniteFloat | None
    hold: Count
    paused: bool
    gate: Count | None
    by: Name


class UngateCommand(Message):
    """A command for the probe: remove a gate."""

    type: Literal["command"] = "command"
    id: Count
    kind: Literal["ungate"]
    target: None = None
    gate: Count
    by: Name
