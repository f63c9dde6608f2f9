"""Commands, and what the probe reports of them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from ..base.errors import CommandError

KINDS = ("freeze", "thaw", "gate", "ungate", "explain")
GATE_KINDS = ("gate", "ungate")
MODES = ("grad", "no_grad")


class CommandState(str, Enum):
    """What the probe can say of a command."""

    DELIVERED = "delivered"
    APPLIED = "applied"
    VERIFIED = "verified"
    DRIFTED = "drifted"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"


@dataclass(frozen=True)
class Command:
    """A change that somebody asked for."""

    kind: str
    target: str
    by: str
    mode: str = "grad"
    hold_stats: bool = False
    reset_state: bool = False
    site: str = ""
    when: str = "True"
    action: str = "block"
    factor: float | None = None
    max_norm: float | None = None
    hold: int = 0
    paused: bool = False
    gate: int | None = None
    """The gate that is changed or removed; None for a new one."""
    reserved: int | None = None
    """The number that a new gate was promised; None for the next."""
    id: int | None = None
    """The server's number; None for a command made in Python."""
    local: int | None = None
    """The probe's own number; None for a command from the server."""

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> Command:
        """Read a ``command`` of the wire protocol, or the question about one."""
        is_gate = message.get("site") is not None or message.get("kind") in GATE_KINDS
        common: dict[str, Any] = {
            "kind": str(message.get("kind", "gate")),
            "by": str(message.get("by", "server")),
            "id": int(message["id"]) if message["type"] == "command" else None,
        }
        if not is_gate:
            return cls(
                target=str(message["target"]),
                mode=str(message.get("mode", "grad")),
                hold_stats=bool(message.get("hold_stats", False)),
                reset_state=bool(message.get("reset_state", False)),
                **common,
            )
        gate = message.get("gate")
        site = str(message.get("site") or "")
        return cls(
            target=site or f"gate {gate}",
            site=site,
            when=str(message.get("when") or "True"),
            action=str(message.get("action") or "block"),
            factor=_number(message.get("factor")),
            max_norm=_number(message.get("max_norm")),
            hold=int(message.get("hold") or 0),
            paused=bool(message.get("paused", False)),
            gate=None if gate is None else int(gate),
            **common,
        )

    def asked(self) -> dict[str, Any]:
        """What was asked for, without who asked: the same on every rank."""
        if self.kind in GATE_KINDS:
            return {
                "kind": self.kind,
                "target": self.target,
                "site": self.site or None,
                "when": self.when,
                "action": self.action,
                "factor": self.factor,
                "max_norm": self.max_norm,
                "hold": self.hold,
                "paused": self.paused,
                "gate": self.gate,
            }
        return {
            "kind": self.kind,
            "target": self.target,
            "mode": self.mode,
            "hold_stats": self.hold_stats,
            "reset_state": self.reset_state,
        }

    def check(self) -> None:
        """Raise :class:`CommandError` for what this version does not know or makes no sense."""
        if self.kind not in KINDS:
            raise CommandError(
                f"this probe does not know commands of kind {self.kind!r}, only "
                f"{', '.join(KINDS)}; upgrade gradgate in the training job."
            )
        if self.mode not in MODES:
            raise CommandError(
                f"mode {self.mode!r} is not available in this version of the probe; "
                f"use {' or '.join(map(repr, MODES))}."
            )
        if self.kind == "thaw" and self.hold_stats:
            raise CommandError("hold_stats belongs to a freeze; a thaw lets statistics run again.")
        if self.kind == "freeze" and self.reset_state:
            raise CommandError(
                "reset_state belongs to a thaw: a freeze keeps the optimizer's state as it is."
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
    saved: Mapping[str, Any] | None = None
    """What the command saved, measured, as the wire protocol has it."""
    gate: int | None = None
    """The gate that the command made, changed or removed."""
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
            "saved": self.saved,
            "gate": self.gate,
        }
        if self.command.local is not None:
            number = self.command.gate if self.gate is None else self.gate
            message |= {**self.command.asked(), "gate": number}
        return message


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
