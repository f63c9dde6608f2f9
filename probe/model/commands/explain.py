"""The command that asks why gradients are missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from .command import Command, asker


@dataclass(frozen=True)
class ExplainCommand(Command):
    """Trace a step and say why parameters of the target have no useful gradient."""

    kind: ClassVar[str] = "explain"

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> ExplainCommand:
        """Read what is to be explained."""
        return cls(str(message["target"]), **asker(message))
