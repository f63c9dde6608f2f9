"""Commands that ask for an explanation: waiting for a traced step, and answered by it."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence

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

    def add(self, command: ExplainCommand) -> None:
        """Let a command whose target is there wait for a trace."""
        self._accepted.append(command)

    def take(self) -> list[ExplainCommand]:
        """Hand over what waits for a trace."""
        taken, self._accepted = self._accepted, []
        return taken

    def apply(
        self, commands: Sequence[ExplainCommand], step: int, explained: Container[str]
    ) -> None:
        """Report each as applied to those of its parameters that were ``explained``, by name."""
        for command in commands:
            indexes = self._targets(command, step)
            if indexes is not None:
                found = [index for index in indexes if self._table.name(index) in explained]
                self._report(Report(command, CommandState.APPLIED, step, found))

    def reject(self, commands: Sequence[ExplainCommand], step: int, reason: str) -> None:
        """Report each as rejected."""
        for command in commands:
            self._report(Report(command, CommandState.REJECTED, step, reason=reason))

    def _targets(self, command: ExplainCommand, step: int) -> list[int] | None:
        """Find the parameters that a command names; None, and it is rejected, if that fails."""
        reason = ""
        with self._guard.attempt() as attempt:
            try:
                require_for(EXPLAINING)
                return resolve(command.target, self._table.names)
            except GradgateError as error:
                reason = str(error)
        self.reject([command], step, reason or f"{attempt.fault}.")
        return None
