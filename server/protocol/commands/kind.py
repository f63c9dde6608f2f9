"""A kind of command: how it is stored, how it goes to the job, and how a person reads it."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import FiniteFloat

from ..fields import Action, By, Count, KindName, Mode, Name, Site, Text
from ..models import Message
from .limit import Limit, limit_text
from .row import CommandRow
from .state import CommandState


class CommandFields(Message):
    """The fields of every kind of command, as a job reports one that was made in Python."""

    kind: KindName | None = None
    target: Name | None = None
    mode: Mode | None = None
    hold_stats: bool | None = None
    reset_state: bool | None = None
    site: Site | None = None
    when: Text | None = None
    action: Action | None = None
    factor: FiniteFloat | None = None
    max_norm: FiniteFloat | None = None
    hold: Count | None = None
    paused: bool | None = None
    gate: Count | None = None
    limit: Limit | None = None
    by: By | None = None


class CommandKind(ABC):
    """One kind of command; `registry.KINDS` has one object of each."""

    name: ClassVar[KindName]
    message: ClassVar[type[Message]]
    """What the job is sent."""
    done: ClassVar[CommandState] = CommandState.VERIFIED
    """The state in which the job has done what it was asked for."""

    def columns(self, fields: CommandFields) -> dict[str, Any]:
        """Return the columns of the ledger for a command that was made in Python."""
        return {
            "mode": fields.mode or "grad",
            "hold_stats": fields.hold_stats or False,
            "reset_state": fields.reset_state or False,
            "gate": fields.gate,
            "limit": None if fields.limit is None else fields.limit.model_dump(),
        }

    def sent(self, columns: Mapping[str, Any]) -> Message:
        """Return what the job is sent, out of the columns of the ledger; raises `ValueError`."""
        return self.message.model_validate(columns)

    def place(self, fields: CommandFields) -> str | None:
        """Return where a command acts, in the words of the log; None when that is not said."""
        return fields.target

    def describe(self, row: CommandRow) -> str:
        """Return a command in words, such as `freeze encoder (mode no_grad)`."""
        options = [f"mode {row.mode}"] if row.mode != "grad" else []
        options += ["statistics held"] if row.hold_stats else []
        options += ["optimizer state reset"] if row.reset_state else []
        options += [limit_text(row.limit)] if row.limit else []
        return f"{row.kind} {row.target}" + (f" ({', '.join(options)})" if options else "")
