"""What every command has: what it is about, and who asked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ...base.wire_text import wire_text

LONGEST_ASKER = 64
"""Characters of a name of who asks, at most."""


@dataclass(frozen=True)
class Command(ABC):
    """A change or an answer that somebody asked for; a subclass is a kind of it."""

    kind: ClassVar[str]
    """Its word in the wire protocol."""

    target: str
    by: str = field(kw_only=True)
    id: int | None = field(default=None, kw_only=True)
    """The server's number; None for a command made in Python."""
    local: int | None = field(default=None, kw_only=True)
    """The probe's own number; None for a command from the server."""

    @classmethod
    @abstractmethod
    def from_message(cls, message: Mapping[str, Any]) -> Command:
        """Read the kind's own fields of a message, and who asked.

        Raises :class:`CommandError` for a field that belongs to another kind.
        """

    def asked(self) -> dict[str, Any]:
        """Return what was asked for, without who asked: the same on every rank.

        The wire protocol has these fields in every command that is not about a gate.
        """
        return {
            "kind": self.kind,
            "target": self.target,
            "mode": "grad",
            "hold_stats": False,
            "reset_state": False,
        }

    def as_message(self) -> dict[str, Any]:
        """Return all of it, as one rank gives it to the others."""
        return {**self.asked(), "by": self.by, "id": self.id, "local": self.local}

    def check(self) -> None:  # noqa: B027 - most kinds have nothing to check by themselves
        """Raise :class:`CommandError` for what makes no sense, whatever the model is."""


def asker(message: Mapping[str, Any]) -> dict[str, Any]:
    """Read who asked: ``by``, and the number that the server or the probe gave."""
    return {
        "by": wire_text(str(message.get("by", "")), LONGEST_ASKER) or "server",
        "id": integer(message.get("id")),
        "local": integer(message.get("local")),
    }


def integer(value: Any) -> int | None:
    """Read an integer of a message, or None where there is none."""
    return None if value is None else int(value)
