"""The kinds of commands: the one place that knows all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...base.errors import CommandError
from .command import Command
from .explain import ExplainCommand
from .gate import GateCommand, UngateCommand
from .parameters import FreezeCommand, ThawCommand
from .refused import RefusedCommand

KINDS: Mapping[str, type[Command]] = {
    each.kind: each
    for each in (FreezeCommand, ThawCommand, GateCommand, UngateCommand, ExplainCommand)
}
"""Every kind that this version of the probe knows, by its word in the wire protocol."""


def read_command(message: Mapping[str, Any]) -> Command:
    """Read a ``command`` of the wire protocol, or the question about one, or another rank's.

    What cannot be read, or came too late, is a :class:`RefusedCommand`, which says why when it is
    checked.
    """
    age, expires = message.get("age") or 0.0, message.get("expires")
    if expires is not None and age > expires:
        return _refused(
            message,
            f"it was asked for {_spoken(age)} before this job heard of it, and holds for "
            f"{_spoken(expires)}: nothing was done, so ask again if it is still wanted.",
        )
    word = str(message.get("kind", GateCommand.kind))
    kind = KINDS.get(word)
    if kind is None:
        return _refused(
            message,
            f"this probe does not know commands of kind {word!r}, only {', '.join(KINDS)}; "
            "upgrade gradgate in the training job.",
        )
    try:
        return kind.from_message(message)
    except CommandError as error:
        return _refused(message, str(error))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        fault = f"{type(error).__name__}: {error}"
        return _refused(message, f"this probe cannot read the fields of this {word} ({fault}).")


def _spoken(seconds: float) -> str:
    """Return a span of time in the unit that fits it."""
    for unit, length in (("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} seconds"


def _refused(message: Mapping[str, Any], reason: str) -> Command:
    return RefusedCommand.from_message({**message, "reason": reason})
