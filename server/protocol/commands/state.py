"""The states of a command, as a pure machine."""

from __future__ import annotations

from enum import StrEnum


class CommandState(StrEnum):
    """Where a command is between being asked for and being proved."""

    REQUESTED = "requested"
    DELIVERED = "delivered"
    APPLIED = "applied"
    VERIFIED = "verified"
    DRIFTED = "drifted"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"

    def leads_to(self, later: CommandState) -> bool:
        """Return whether a report of `later` moves the command on; none leads back."""
        return later in _NEXT[self]


_NEXT: dict[CommandState, frozenset[CommandState]] = {
    CommandState.REQUESTED: frozenset(CommandState) - {CommandState.REQUESTED},
    CommandState.DELIVERED: frozenset(CommandState)
    - {CommandState.REQUESTED, CommandState.DELIVERED},
    CommandState.APPLIED: frozenset(
        {CommandState.VERIFIED, CommandState.DRIFTED, CommandState.SUPERSEDED}
    ),
    CommandState.VERIFIED: frozenset({CommandState.DRIFTED, CommandState.SUPERSEDED}),
    CommandState.DRIFTED: frozenset(),
    CommandState.REJECTED: frozenset(),
    CommandState.SUPERSEDED: frozenset(),
}
UNAPPLIED = (CommandState.REQUESTED, CommandState.DELIVERED)
