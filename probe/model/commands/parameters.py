"""The commands about parameters: freeze and thaw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from ...base.errors import CommandError
from ..limit import Limit
from ..limit import as_message as limit_message
from .command import Command, asker, integer

MODES = ("grad", "no_grad")


class ParameterCommand(Command):
    """A command that says whether the parameters of its target are trained."""

    trains: ClassVar[bool]
    """What ``requires_grad`` its parameters have afterwards."""

    @property
    def mode(self) -> str:
        """How the parameters are kept from being trained."""
        return "grad"

    @property
    def hold_stats(self) -> bool:
        """Whether running statistics inside the target are held."""
        return False

    @property
    def reset_state(self) -> bool:
        """Whether the optimizer's state of the parameters is dropped."""
        return False

    @property
    def without_graph(self) -> bool:
        """Whether the modules of the target are to run without a graph."""
        return False


@dataclass(frozen=True)
class FreezeCommand(ParameterCommand):
    """Stop training parameters."""

    kind: ClassVar[str] = "freeze"
    trains: ClassVar[bool] = False

    mode: str = "grad"
    hold_stats: bool = False
    limit: Limit | None = None
    """What ends it by itself."""

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> FreezeCommand:
        """Read a freeze; raises :class:`CommandError` for what only a thaw can do."""
        if message.get("reset_state"):
            raise CommandError(
                "reset_state belongs to a thaw: a freeze keeps the optimizer's state as it is."
            )
        return cls(
            str(message["target"]),
            str(message.get("mode", "grad")),
            bool(message.get("hold_stats", False)),
            Limit.from_message(message),
            **asker(message),
        )

    @property
    def without_graph(self) -> bool:
        """Whether the modules of the target are to run without a graph."""
        return self.mode == "no_grad"

    def asked(self) -> dict[str, Any]:
        """Return what was asked for, without who asked."""
        own = {"mode": self.mode, "hold_stats": self.hold_stats}
        return super().asked() | own | {"limit": limit_message(self.limit)}

    def check(self) -> None:
        """Raise :class:`CommandError` for a mode that there is not, or a limit that is none."""
        if self.limit is not None:
            self.limit.check()
        if self.mode not in MODES:
            raise CommandError(
                f"mode {self.mode!r} is not available in this version of the probe; "
                f"use {' or '.join(map(repr, MODES))}."
            )


@dataclass(frozen=True)
class ThawCommand(ParameterCommand):
    """Resume training parameters."""

    kind: ClassVar[str] = "thaw"
    trains: ClassVar[bool] = True

    reset_state: bool = False
    as_of: int | None = None
    """Only what was frozen at this step and has a limit; None: all that the target names."""

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> ThawCommand:
        """Read a thaw; raises :class:`CommandError` for what only a freeze can do."""
        if message.get("hold_stats"):
            raise CommandError("hold_stats belongs to a freeze; a thaw lets statistics run again.")
        if message.get("mode", "grad") != "grad":
            raise CommandError("mode belongs to a freeze; a thaw undoes every mode.")
        if message.get("limit") is not None:
            raise CommandError("limit belongs to a freeze; a thaw lasts.")
        return cls(
            str(message["target"]),
            bool(message.get("reset_state", False)),
            integer(message.get("as_of")),
            **asker(message),
        )

    def as_message(self) -> dict[str, Any]:
        """Return all of it, as one rank gives it to the others."""
        return {**super().as_message(), "as_of": self.as_of}

    def asked(self) -> dict[str, Any]:
        """Return what was asked for, without who asked."""
        return super().asked() | {"reset_state": self.reset_state}
