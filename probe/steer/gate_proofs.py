"""Verifies commands about gates: by a gradient that was decided since."""

from __future__ import annotations

from dataclasses import dataclass

from ..base.guard import Guard
from ..gates.registry import GateRegistry
from ..model.commands import Command, CommandState, Report
from .reports import Reports, fault_sentence


@dataclass
class _Proof:
    """A command that waits for its proof."""

    command: Command
    gate: int
    since: int
    """The step after which it was applied."""
    failed: bool = False
    """A fault of the probe's own kept it from being proved, and was told."""


class GateProofs:
    """Holds the commands about gates that were applied until a step has shown their effect."""

    def __init__(self, gates: GateRegistry, reports: Reports, guard: Guard) -> None:
        self._gates = gates
        self._reports = reports
        self._guard = guard
        self.waiting: list[_Proof] = []
        """Those that no step has proved yet."""

    def add(self, command: Command, gate: int, step: int) -> None:
        """Wait for the proof of a command that was applied after ``step``."""
        self.waiting.append(_Proof(command, gate, step))

    def boundary(self, step: int) -> None:
        """Report the commands that ``step`` has proved, or that another one has replaced."""
        self.waiting = [proof for proof in self.waiting if not self._is_ended(proof, step)]

    def _is_ended(self, proof: _Proof, step: int) -> bool:
        ended = False
        with self._guard.attempt() as attempt:
            ended = self._is_decided(proof, step)
        if attempt.error is not None and not proof.failed:
            # Nobody knows whether it works: it is looked at again, and that is told once.
            proof.failed = True
            detail = f"could not be checked after step {step}: {fault_sentence(attempt)}"
            self._report(proof, CommandState.APPLIED, detail)
        return ended

    def _is_decided(self, proof: _Proof, step: int) -> bool:
        gate = self._gates.get(proof.gate)
        if gate is not None and gate.settings.since_step != proof.since:
            self._reports.supersede(proof.command, "the gate was changed again", step)
            return True
        if gate is None:
            detail = "no gate is there any more"
        elif gate.settings.paused:
            detail = "paused: it lets everything pass"
        elif gate.arrivals.steps and gate.arrivals.problem is None:
            detail = f"{'closed' if gate.decider.closed else 'open'} in step {step}"
        else:
            return False
        self._report(proof, CommandState.VERIFIED, detail)
        return True

    def _report(self, proof: _Proof, state: CommandState, detail: str) -> None:
        self._reports.send(
            Report(proof.command, state, step=proof.since, detail=detail, gate=proof.gate)
        )
