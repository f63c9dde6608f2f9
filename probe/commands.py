"""Commands, and what the probe reports of them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from .errors import CommandError

KINDS = ("freeze", "thaw")
MODES = ("grad",)


class CommandState(str, Enum):
    """What the probe can say of a command."""

    DELIVERED = "delivered"
    APPLIED = "applied"
    VERIFIED = "verified"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"


@dataclass(frozen=True)
class Command:
    """A change that somebody asked for."""

    kind: str
    target: str
    by: str
    mode: str = "grad"
    id: int | None = None
    """The server's number; None for a command made in Python."""
    local: int | None = None
    """The probe's own number; None for a command from the server."""

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> Command:
        """Read a command of the wire protocol."""
        return cls(
            kind=str(message["kind"]),
            target=str(message["target"]),
            by=str(message.get("by", "server")),
            mode=str(message.get("mode", "grad")),
            id=int(message["id"]),
        )

    def check(self) -> None:
        """Raise :class:`CommandError` for a kind or a mode that this version does not know."""
        if self.kind not in KINDS:
            raise CommandError(
                f"this probe does not know commands of kind {self.kind!r}, only "
                f"{' and '.join(KINDS)}; upgrade gradgate in the training job."
            )
        if self.mode not in MODES:
            raise CommandError(
                f"mode {self.mode!r} is not available in this version of the probe; use 'grad'."
            )


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
    time: float = field(default_factory=time.time)

    def as_message(self, seq: int) -> dict[str, Any]:
        """The report as the wire protocol has it."""
        message: dict[str, Any] = {
            "type": "report",
            "seq": seq,
            "id": self.command.id,
            "local": self.command.local,
            "state": self.state.value,
            "time": self.time,
            "step": self.step,
            "parameters": self.parameters,
            "reason": self.reason,
            "detail": self.detail,
        }
        if self.command.local is not None:
            message |= {"kind": self.command.kind, "target": self.command.target}
        return message
