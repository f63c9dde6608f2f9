"""Carries out the commands about gates: gate and ungate."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

from ..base.undo import whole
from ..gates.registry import GateRegistry
from ..model.commands import Command, CommandState, GateCommand, Report, UngateCommand
from ..model.selection import Selection
from .gate_proofs import GateProofs
from .limits import Limits
from .rank_agreement import RankAgreement
from .reports import Reports

G = TypeVar("G", GateCommand, UngateCommand)


class _GateCommandHandler(ABC, Generic[G]):
    """Does what commands about gates ask as soon as they come, and has that proved."""

    def __init__(
        self, gates: GateRegistry, proofs: GateProofs, agreement: RankAgreement, reports: Reports
    ) -> None:
        self._gates = gates
        self._proofs = proofs
        self._agreement = agreement
        self._reports = reports

    def resolve(self, command: G) -> Selection:
        """Raise why it cannot be done; no parameter is touched by it directly."""
        self._agreement.check()
        self.check(command)
        return Selection([])

    def admit(self, command: G, selection: Selection, step: int) -> bool:
        """Do it at once; where there are other ranks, after the same step on all of them."""
        if self._agreement.is_needed:
            return True
        self.apply_now(command, selection, step)
        return False

    def apply(self, command: G, selection: Selection, step: int) -> None:
        """Make, change or remove a gate, unless another command of its batch is in the way."""
        self.check(command)
        self.apply_now(command, selection, step)

    def apply_now(self, command: G, selection: Selection, step: int) -> None:
        """Make, change or remove a gate."""
        agreement = self._agreement
        with (
            agreement.answering(command, step),
            whole([self._gates.snapshot()]),
            agreement.together(command, step),
        ):
            number = self.change(command, step)
            self._proofs.add(command, number, step)
        self._reports.send(Report(command, CommandState.APPLIED, step=step, gate=number))

    def is_undone_by(self, command: G, later: Command) -> bool:
        """Return whether ``later`` undoes it: none does, since it was done at once."""
        return False

    @abstractmethod
    def check(self, command: G) -> None:
        """Raise :class:`GradgateError` if it cannot be done."""

    @abstractmethod
    def change(self, command: G, step: int) -> int:
        """Make, change or remove the gate, and return its number."""


class GateHandler(_GateCommandHandler[GateCommand]):
    """Makes gates and changes them."""

    def __init__(
        self,
        gates: GateRegistry,
        proofs: GateProofs,
        agreement: RankAgreement,
        limits: Limits,
        reports: Reports,
    ) -> None:
        super().__init__(gates, proofs, agreement, reports)
        self._limits = limits

    def check(self, command: GateCommand) -> None:
        """Raise :class:`GradgateError` if there can be no such gate."""
        self._gates.check(command)

    def change(self, command: GateCommand, step: int) -> int:
        """Make or change the gate, and return its number."""
        number = self._gates.apply(command, step)
        gate = self._gates.get(number)
        if gate is not None:
            self._limits.add_gate(gate.settings)
        return number


class UngateHandler(_GateCommandHandler[UngateCommand]):
    """Removes gates."""

    def check(self, command: UngateCommand) -> None:
        """Raise :class:`CommandError` if there is no such gate."""
        self._gates.check_removal(command)

    def change(self, command: UngateCommand, step: int) -> int:
        """Remove the gate, and return the number that it had."""
        self._gates.delete(command.gate)
        return command.gate
