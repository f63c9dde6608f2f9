"""The kinds that make, change and remove gates: gate and ungate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import FiniteFloat

from ..fields import Action, By, Count, Name, Site, Text
from ..gates import GateFields, gate_text
from ..models import CommandMessage, Message, Request
from .kind import CommandFields, CommandKind
from .limit import Limit, LimitRequest
from .row import CommandRow


class GateRequest(GateFields):
    """Make a gate, or with `gate` give that one these fields."""

    kind: Literal["gate"]
    paused: bool = False
    gate: Count | None = None
    limit: LimitRequest | None = None
    by: By = "api"

    @property
    def target(self) -> str:
        """Return what the log calls the place."""
        return self.site


class UngateRequest(Request):
    """Remove a gate."""

    kind: Literal["ungate"]
    gate: Count
    by: By = "api"

    @property
    def target(self) -> str:
        """Return what the log calls the place."""
        return f"gate {self.gate}"


class GateCommand(CommandMessage):
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
    limit: Limit | None = None
    by: Name


class UngateCommand(CommandMessage):
    """A command for the probe: remove a gate."""

    type: Literal["command"] = "command"
    id: Count
    kind: Literal["ungate"]
    target: None = None
    gate: Count
    by: Name


class GateKind(CommandKind):
    """Make a gate, or give one that is there other fields."""

    name = "gate"
    message = GateCommand

    def columns(self, fields: CommandFields) -> dict[str, Any]:
        """Return the columns of the ledger for a command that was made in Python."""
        own = {"site", "when", "action", "factor", "max_norm", "hold", "paused"}
        return {**super().columns(fields), **fields.model_dump(include=own)}

    def sent(self, columns: Mapping[str, Any]) -> Message:
        """Return what the job is sent: the target is a word of the log and stays here."""
        return super().sent({**columns, "target": None})

    def place(self, fields: CommandFields) -> str | None:
        """Return the site, which the log has for a target."""
        return fields.target if fields.site is None else fields.site

    def describe(self, row: CommandRow) -> str:
        """Return a gate in words, such as `gate param:a (block when norm > 10)`."""
        return f"gate {row.target} ({gate_text(row)})"


class UngateKind(CommandKind):
    """Remove a gate."""

    name = "ungate"
    message = UngateCommand

    def sent(self, columns: Mapping[str, Any]) -> Message:
        """Return what the job is sent: the target is a word of the log and stays here."""
        return super().sent({**columns, "target": None})

    def place(self, fields: CommandFields) -> str | None:
        """Return the gate in the words that the log has for a target."""
        return fields.target if fields.gate is None else f"gate {fields.gate}"
