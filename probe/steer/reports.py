"""Tells of the progress of commands, to the server and to whoever else listens."""

from __future__ import annotations

from collections.abc import Callable

from ..base.guard import Attempt, Guard
from ..base.wire_text import wire_text
from ..model.commands import Command, CommandState, Report

LONGEST_FAULT = 2000
"""Characters of a sentence that names a fault of the probe's own, at most."""

Listener = Callable[[Report], None]


class Reports:
    """Gives each report to every listener; one listener that fails takes no other along."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._listeners: list[Listener] = []

    def add_listener(self, listener: Listener) -> None:
        """Call ``listener`` with every report from now on, after those that listen already."""
        self._listeners.append(listener)

    def send(self, report: Report) -> None:
        """Report the progress of a command; in any thread."""
        for listener in self._listeners:
            with self._guard:
                listener(report)

    def reject(self, command: Command, reason: str, step: int) -> None:
        """Report that a command cannot be done, as of ``step``."""
        self.send(Report(command, CommandState.REJECTED, step=step, reason=reason))

    def supersede(self, command: Command, reason: str, step: int) -> None:
        """Report that a later command took the place of this one, as of ``step``."""
        self.send(Report(command, CommandState.SUPERSEDED, step=step, reason=reason))


def fault_sentence(attempt: Attempt) -> str:
    """Name the fault of the probe's own that ended an attempt, and where there is more of it."""
    return f"{wire_text(attempt.fault, LONGEST_FAULT)}; see the job's log"
