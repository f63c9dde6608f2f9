"""Accounts for gates at the boundary between two steps."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from .blocked import BlockedParameters
from .gate import Gate
from .norms import Figures
from .present_step import PresentStep
from .registry import GateRegistry
from .runtime import GateRuntime

TOLD_EVERY = 0.5
"""Seconds between two messages about the gates, at least, while no command changes them."""


class GateAccounting:
    """Accounts for the steps of gates; a fault in one gate leaves the others to be told of."""

    def __init__(
        self,
        registry: GateRegistry,
        runtime: GateRuntime,
        blocked: BlockedParameters,
        step: PresentStep,
    ) -> None:
        self._registry = registry
        self._runtime = runtime
        self._blocked = blocked
        self._step = step
        self._told_at = 0.0
        self._told_changes = 0

    def end_step(self, number: int) -> Figures:
        """Account for the step of this number, and begin the next; return metrics of gates.

        To be asked once there has been a gate.
        """
        figures: Figures = {}
        self._blocked.find_bypassed()
        blocked = self._blocked.find()
        for gate in self._registry.all():
            with self._step.guard:
                self._end_step(gate, number, blocked, figures)
        self._runtime.find_rewrites()
        self._blocked.begin_step()
        self._step.begin(number + 1)
        self._step.norms.read(figures)
        return figures

    def _end_step(self, gate: Gate, number: int, blocked: frozenset[int], figures: Figures) -> None:
        gate.parameters = sorted(blocked & gate.reach.indexes) if gate.arrivals.closed_now else []
        if gate.end_step(partial(self._runtime.why_no_gradient, gate)):
            figures.setdefault(number, {})[f"gate {gate.id} closed"] = float(gate.decider.closed)

    def take_message(self) -> list[dict[str, Any]] | None:
        """Return the gates as the wire protocol has them, or None while it is too early to tell."""
        clock, changes = time.monotonic(), self._registry.changes
        is_due = len(self._registry) and clock - self._told_at >= TOLD_EVERY
        if not (changes != self._told_changes or is_due):
            return None
        self._told_at, self._told_changes = clock, changes
        told = []
        for gate in self._registry.all():
            with self._step.guard:
                told.append(gate.as_message())
        return told
