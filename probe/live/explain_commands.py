"""Commands that ask for an explanation: waiting for a traced step, and answered by it."""

from __future__ import annotations

from collections.abc import Callable, Container

from ..base.errors import GradgateError
from ..base.guard import Guard
from ..base.targets import resolve
from ..model.commands import CommandState, ExplainCommand, Report
from ..model.table import ParameterTable
from ..torch_compat.parts import EXPLAINING
from ..torch_compat.requirements import require_for


class ExplainCommands:
    """Holds accepted commands until a step was traced, and reports what became of each."""

    def __init__(
        self, table: ParameterTable, report: Callable[[Report], None], guard: Guard
    ) -> None:
        """``report``: called with how each command ended."""
        self._table = table
        self._report = report
        self._guard = guard
        self._accepted: list[ExplainCommand] = []

    @property
    def waiting(self) -> bool:
        """Return whether an accepted command waits for a traced step."""
        return bool(self._accepted)

    @property
    def numbers(self) -> list[int | None]:
        """Return the server's numbers of those that wait; None for one made in Python."""
        return [command.id for command in self._accepted]

    def add(self, command: ExplainCommand) -> None:
        """Let a command whose target is there wait for a trace."""
        self._accepted.append(command)

    def apply(self, step: int, explained: Container[str]) -> None:
        """Report all as applied to those of their parameters that were ``explained``, by name."""
        for command in self._take():
            reason = ""
            with self._guard.attempt() as attempt:
                try:
                    self._report(self._applied(command, step, explained))
                except GradgateError as error:
                    reason = str(error)
            if reason or attempt.error is not None:
                self._reject(command, step, reason or f"{attempt.fault}.")

    def reject(self, step: int, reason: str) -> None:
        """Report all as rejected."""
        for command in self._take():
            self._reject(command, step, reason)

    def _applied(self, command: ExplainCommand, step: int, explained: Container[str]) -> Report:
        require_for(EXPLAINING)
        indexes = resolve(command.target, self._table.names)
        found = [index for index in indexes if self._table.name(index) in explained]
        return Report(command, CommandState.APPLIED, step, found)

    def _reject(self, command: ExplainCommand, step: int, reason: str) -> None:
        self._report(Report(command, CommandState.REJECTED, step, reason=reason))

    def _take(self) -> list[ExplainCommand]:
        taken, self._accepted = self._accepted, []
        return taken
