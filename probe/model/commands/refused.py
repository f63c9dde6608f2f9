"""A command that nobody can carry out, so that it is rejected in its turn with a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from ...base.errors import CommandError
from .command import Command, asker


@dataclass(frozen=True)
class RefusedCommand(Command):
    """A command of a kind that this probe does not know, or with fields that it cannot read."""

    kind: ClassVar[str] = "refused"

    reason: str

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> RefusedCommand:
        """Read the target, the reason why it is refused, and who asked."""
        target, reason = str(message.get("target") or ""), str(message["reason"])
        return cls(target, reason, **asker(message))

    def check(self) -> None:
        """Raise :class:`CommandError` with the reason."""
        raise CommandError(self.reason)
