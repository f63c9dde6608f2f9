"""The commands about gates: gate, which makes or changes one, and ungate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from ...base.errors import CommandError
from ..limit import MOST_STEPS, Limit
from ..limit import as_message as limit_message
from .command import Command, asker, integer


@dataclass(frozen=True)
class GateCommand(Command):
    """Make a gate, or change one."""

    kind: ClassVar[str] = "gate"

    site: str
    when: str = "True"
    action: str = "block"
    factor: float | None = None
    max_norm: float | None = None
    hold: int = 0
    paused: bool = False
    gate: int | None = None
    """The gate that is changed; None for a new one."""
    reserved: int | None = None
    """The number that a new gate was promised; None for the next."""
    limit: Limit | None = None
    """What removes it by itself."""

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> GateCommand:
        """Read a gate, or the question about one."""
        gate, site = message.get("gate"), str(message.get("site") or "")
        return cls(
            target=site or f"gate {gate}",
            site=site,
            when=str(message.get("when") or "True"),
            action=str(message.get("action") or "block"),
            factor=_number(message.get("factor")),
            max_norm=_number(message.get("max_norm")),
            hold=int(message.get("hold") or 0),
            paused=bool(message.get("paused", False)),
            gate=integer(gate),
            reserved=integer(message.get("reserved")),
            limit=Limit.from_message(message),
            **asker(message),
        )

    def as_message(self) -> dict[str, Any]:
        """Return all of it, as one rank gives it to the others."""
        return {**super().as_message(), "reserved": self.reserved}

    def asked(self) -> dict[str, Any]:
        """Return what was asked for, without who asked."""
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
            "limit": limit_message(self.limit),
        }

    def check(self) -> None:
        """Raise :class:`CommandError` for a hold or a limit that is none."""
        if not 0 <= self.hold <= MOST_STEPS:
            raise CommandError(f"hold={self.hold}: give a number of steps from 0 to 2**53.")
        if self.limit is not None:
            self.limit.check()


@dataclass(frozen=True)
class UngateCommand(Command):
    """Remove a gate."""

    kind: ClassVar[str] = "ungate"

    gate: int
    as_of: int | None = None
    """Only the gate that was made or changed at this step; None: whatever it is by now."""

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> UngateCommand:
        """Read which gate is to go."""
        gate = int(message["gate"])
        as_of = integer(message.get("as_of"))
        return cls(target=f"gate {gate}", gate=gate, as_of=as_of, **asker(message))

    def as_message(self) -> dict[str, Any]:
        """Return all of it, as one rank gives it to the others."""
        return {**super().as_message(), "as_of": self.as_of}

    def asked(self) -> dict[str, Any]:
        """Return what was asked for, without who asked, with the fields of every gate."""
        return {
            "kind": self.kind,
            "target": self.target,
            "site": None,
            "when": "True",
            "action": "block",
            "factor": None,
            "max_norm": None,
            "hold": 0,
            "paused": False,
            "gate": self.gate,
        }


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
