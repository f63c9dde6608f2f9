"""Commands that ask for an explanation: waiting for a traced step, and answered by it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Container, Sequence

from ..base.errors import GradgateError
from ..base.guard import Guard
from ..base.targets import resolve
from ..model.commands import CommandState, ExplainCommand, Report
from ..model.table import ParameterTable
from ..torch_compat.parts import EXPLAINING
from ..torch_compat.requirements import require_for


class ExplainCommands:
    """Takes commands in any thread, and reports what became of each, one by one."""

    def __init__(
        self, table: ParameterTable, report: Callable[[Report], None], guard: Guard
    ) -> None:
        """``report``: told of every stage of a command."""
        self._table = table
        self._report = report
        self._guard = guard
        self._lock = threading.Lock()
        self._submitted: list[ExplainCommand] = []
        self._accepted: list[ExplainCommand] = []

    @property
    def waiting(self) -> bool:
        """Return whether an accepted command waits for a traced step."""
        return bool(self._accepted)

    def submit(self, command: ExplainCommand) -> None:
        """Queue a command for the next boundary; in any thread."""
        self._report(Report(command, CommandState.DELIVERED))
        with self._lock:
            self._submitted.append(command)

    def accept(self, step: int) -> None:
        """Let what was submitted wait for a trace, or turn it down, at the boundary of ``step``."""
        with self._lock:
            submitted, self._submitted = self._submitted, []
        for command in submitted:
            if self._targets(command, step) is not None:
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
