"""The kinds that change what trains: freeze and thaw."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from ..fields import By, Count, Kind, Mode, Name
from ..models import Message, Request


class ChangeRequest(Request):
    """A change that a job may be asked for."""

    kind: Kind
    target: Name
    mode: Mode = "grad"
    hold_stats: bool = False
    reset_state: bool = False

    @model_validator(mode="after")
    def _fits_its_kind(self) -> ChangeRequest:
        if self.kind == "thaw" and self.mode != "grad":
            raise ValueError("`mode` is for a freeze: a thaw undoes every mode, so leave it out")
        if self.kind == "thaw" and self.hold_stats:
            raise ValueError(
                "`hold_stats` is for a freeze: a thaw lets running statistics run, so leave it out"
            )
        if self.kind == "freeze" and self.reset_state:
            raise ValueError(
                "`reset_state` is for a thaw: a freeze keeps the optimizer's state, so leave it out"
            )
        return self


class CommandRequest(ChangeRequest):
    """A freeze or a thaw that a browser or a script asks of a job."""

    by: By = "api"


class Command(Message):
    """A command for the probe."""

    type: Literal["command"] = "command"
    id: Count
    kind: Kind
    target: Name
    mode: Mode
    hold_stats: bool = False
    reset_state: bool = False
    by: Name
