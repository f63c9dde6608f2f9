"""A part of the probe's work on gates, whose error is told as the problem of those gates."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType

from ..base.guard import Attempt, Guard
from ..distributed.exchange import RanksApart
from .gate import Gate


class GateAttempt(Attempt):
    """A guarded block; after an error in it the gates have let the gradient pass, and say so."""

    def __init__(self, guard: Guard, gates: Iterable[Gate]) -> None:
        super().__init__(guard)
        self._gates = gates

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if isinstance(error, Exception):
            self.error = error
            if isinstance(error, RanksApart):
                for gate in self._gates:
                    gate.arrivals.record_bypass(f"open, because {error}.")
                return True
            for gate in self._gates:
                gate.arrivals.record_bypass(f"open, because {self.fault}")
        return super().__exit__(kind, error, traceback)
