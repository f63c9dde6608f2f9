"""The kinds that change what trains: freeze and thaw."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import model_validator

from ..fields import By, ChangeName, Count, Mode, Name
from ..models import CommandMessage, Request
from .kind import CommandKind
from .limit import Limit, LimitRequest


class ChangeRequest(Request):
    """A change that a job may be asked for."""

    kind: ChangeName
    target: Name
    mode: Mode = "grad"
    hold_stats: bool = False
    reset_state: bool = False

    @model_validator(mode="after")
    def _fits_its_kind(self) -> ChangeRequest:
        fields = type(self).model_fields
        for name, advice in CHANGES[self.kind].misplaced.items():
            if name in fields and getattr(self, name) != fields[name].default:
                raise ValueError(f"`{name}` is for a {advice}, so leave it out")
        return self


class CommandRequest(ChangeRequest):
    """A freeze or a thaw that a browser or a script asks of a job."""

    limit: LimitRequest | None = None
    by: By = "api"


class Command(CommandMessage):
    """A command for the probe."""

    type: Literal["command"] = "command"
    id: Count
    kind: ChangeName
    target: Name
    mode: Mode
    hold_stats: bool = False
    reset_state: bool = False
    limit: Limit | None = None
    by: Name


class Change(CommandKind):
    """A change of what trains."""

    message = Command
    misplaced: ClassVar[Mapping[str, str]]
    """The options of another kind: what they are for, and why they are not needed here."""
    gradients: ClassVar[str]
    """What becomes of the memory that the gradients take."""


class Freeze(Change):
    """Stop training parameters."""

    name = "freeze"
    misplaced: ClassVar[Mapping[str, str]] = {
        "reset_state": "thaw: a freeze keeps the optimizer's state"
    }
    gradients = "freed"


class Thaw(Change):
    """Train parameters again."""

    name = "thaw"
    misplaced: ClassVar[Mapping[str, str]] = {
        "mode": "freeze: a thaw undoes every mode",
        "hold_stats": "freeze: a thaw lets running statistics run",
        "limit": "freeze: a thaw lasts",
    }
    gradients = "needed"


CHANGES: Mapping[str, Change] = {change.name: change for change in (Freeze(), Thaw())}
