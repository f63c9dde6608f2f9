"""Carries out explains."""

from __future__ import annotations

from typing import Protocol

from ..base.targets import resolve
from ..model.commands import Command, CommandState, ExplainCommand, Report
from ..model.selection import Selection
from ..model.table import ParameterTable
from ..torch_compat.parts import EXPLAINING
from ..torch_compat.requirements import require_for
from .reports import Reports


class Answering(Protocol):
    """Who traces a step and says why gradients are missing."""

    def answer(self, command: ExplainCommand) -> None:
        """Trace the coming step, and report the command as applied when that is over."""


class ExplainHandler:
    """Hands explains to the explainer as soon as they come."""

    def __init__(self, table: ParameterTable, explainer: Answering, reports: Reports) -> None:
        self._table = table
        self._explainer = explainer
        self._reports = reports

    def resolve(self, command: ExplainCommand) -> Selection:
        """Return the parameters that are asked about.

        Raises :class:`TargetError` if the target names none, and :class:`CommandError` where
        this torch lacks what a trace needs.
        """
        require_for(EXPLAINING)
        return Selection(resolve(command.target, self._table.names))

    def admit(self, command: ExplainCommand, selection: Selection, step: int) -> bool:
        """Have it answered by the coming step: it changes nothing, so no rank has to agree."""
        self._explainer.answer(command)
        return False

    def apply(self, command: ExplainCommand, selection: Selection, step: int) -> None:
        """Have it answered by the coming step."""
        self._explainer.answer(command)

    def apply_now(self, command: ExplainCommand, selection: Selection, step: int) -> None:
        """Have a command of the script answered by the step that is about to begin."""
        self._reports.send(Report(command, CommandState.DELIVERED))
        self._explainer.answer(command)

    def is_undone_by(self, command: ExplainCommand, later: Command) -> bool:
        """Return whether ``later`` undoes it: an answer cannot be undone."""
        return False
