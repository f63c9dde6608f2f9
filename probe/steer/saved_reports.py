"""Reports what a command saved, once its steps were measured."""

from __future__ import annotations

from ..measure.backward_timer import BackwardTiming
from ..model.commands import Command, CommandState, Report
from ..torch_compat.dynamo import has_compiled_code
from .reports import Reports
from .savings import Savings

_ENDED = (CommandState.REJECTED, CommandState.SUPERSEDED)


class SavedReports:
    """Follows what is told of the latest command, and adds what it saved if it was verified."""

    def __init__(self, reports: Reports) -> None:
        self._reports = reports
        self.savings: Savings[Command] = Savings()
        """Which also says whether the coming step is to be timed."""
        self._told: dict[Command, CommandState] = {}
        """What was last told of the command whose savings are being measured."""
        self._freed: dict[Command, int] = {}
        """Bytes of gradients that a command has freed before it was applied."""
        reports.add_listener(self._follow)

    def free_early(self, command: Command, gradient_bytes: int) -> None:
        """Note what a command has freed that still waits for its trial."""
        self._freed[command] = gradient_bytes

    def begin(self, command: Command, step: int, gradient_bytes: int) -> None:
        """Compare from here on: a command took effect at the end of ``step``.

        ``gradient_bytes``: what it freed by that, besides what it had freed early.
        """
        freed = gradient_bytes + self._freed.pop(command, 0)
        self.savings.begin(command, step, freed, recompiles=has_compiled_code())
        self._told = {command: CommandState.APPLIED}

    def receive(self, timing: BackwardTiming) -> None:
        """Take in what a step's backward took, and report what a command saved once known."""
        done = self.savings.add(timing)
        if done is None:
            return
        command, saved = done
        state = self._told.pop(command, None)
        if state is CommandState.VERIFIED:
            self._reports.send(Report(command, state, saved=saved.as_message()))

    def _follow(self, report: Report) -> None:
        if report.command in self._told:
            self._told[report.command] = report.state
        if report.state in _ENDED:
            self._freed.pop(report.command, None)
