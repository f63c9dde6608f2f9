"""What the probe reports of a command."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ...base.wire_text import wire_text
from .command import Command


class CommandState(StrEnum):
    """What the probe can say of a command."""

    DELIVERED = "delivered"
    APPLIED = "applied"
    VERIFIED = "verified"
    DRIFTED = "drifted"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"


@dataclass(frozen=True)
class Report:
    """Progress of a command."""

    command: Command
    state: CommandState
    step: int | None = None
    """The step at whose boundary it took effect, or was turned down."""
    parameters: list[int] = field(default_factory=list)
    reason: str | None = None
    detail: str | None = None
    saved: Mapping[str, Any] | None = None
    """What the command saved, measured, as the wire protocol has it."""
    gate: int | None = None
    """The gate that the command made, changed or removed."""
    time: float = field(default_factory=time.time)

    def as_message(self, seq: int) -> dict[str, Any]:
        """Return the report as the wire protocol has it."""
        message: dict[str, Any] = {
            "type": "report",
            "seq": seq,
            "id": self.command.id,
            "local": self.command.local,
            "state": self.state.value,
            "time": self.time,
            "step": self.step,
            "parameters": self.parameters,
            "reason": None if self.reason is None else wire_text(self.reason),
            "detail": None if self.detail is None else wire_text(self.detail),
            "saved": self.saved,
            "gate": self.gate,
        }
        if self.command.local is not None:
            asked = self.command.asked()
            number = asked.get("gate") if self.gate is None else self.gate
            message |= {**asked, "gate": number, "by": self.command.by}
        return message
