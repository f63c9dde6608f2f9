"""A step of a live job under a trace, from one boundary to the next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from torch import nn

from ..base.guard import Guard
from ..base.states import State
from ..diagnosis.case import Case, Finding
from ..diagnosis.explanation import Explanation
from ..diagnosis.trace import Trace
from ..freeze.freezer import Freezer
from ..gates.registry import GateRegistry
from ..measure.measurement import Measurement
from ..model.sample import Sample
from ..model.table import ParameterTable
from ..torch_compat.autograd import inside_backward
from .holding import Holding
from .missing import MISSING


@dataclass(frozen=True)
class TraceResult:
    """What a traced step has shown."""

    explanations: dict[str, Explanation]
    """By name; healthy parameters have none."""
    seconds: float
    """What the step took."""
    ratio: float | None
    """How many times as long as a usual step that is, where one is known."""
    unasked: frozenset[str]
    """The parameters without a gradient that had nothing to do with this step."""


class TracedStep:
    """Puts a trace on the job's own step, which makes all of its calls and none more."""

    def __init__(
        self,
        models: Mapping[str, nn.Module],
        table: ParameterTable,
        measurement: Measurement,
        freezer: Freezer,
        gates: GateRegistry,
        holding: Holding,
        guard: Guard,
        finding: Callable[[int], Finding | None],
    ) -> None:
        self._models = models
        self._table = table
        self._measurement = measurement
        self._freezer = freezer
        self._gates = gates
        self._holding = holding
        self._guard = guard
        self._finding = finding
        self._trace: Trace | None = None
        self._begun_late = False
        """The optimizer that steps first in the traced step had its backward before."""
        self._computed_before: frozenset[int] = frozenset()
        """The parameters of that one."""
        self.late = False
        """It ended inside a backward, and is explained at the next forward."""

    @property
    def running(self) -> bool:
        """Return whether the present step is traced."""
        return self._trace is not None

    def start(self, *, late: bool = False) -> None:
        """Trace from here on; what that costs is not the sampling's.

        ``late``: an optimizer is about to step, and its backward was before.
        """
        trace = Trace(self._models, self._table.parameters, self._guard)
        with ExitStack() as undo:
            undo.callback(trace.stop)
            trace.start()
            undo.pop_all()
        self._trace = trace
        self._begun_late, self._computed_before = late, frozenset()
        self._measurement.schedule.beside_the_pace = True

    def pause(self, paused: bool, k: int) -> None:
        """Leave out a step of optimizer k, which begins or ends."""
        if self._trace is not None:
            if self._begun_late:
                self._begun_late = False
                self._computed_before = frozenset(self._measurement.members.held_by(k))
            self._trace.pause(paused)

    def end(self) -> bool:
        """End the trace with the step; return whether it can be explained now.

        Inside a backward the recorder cannot be taken away; then it is at the next forward.
        """
        self.late = self._trace is not None and inside_backward()
        if self._trace is None or self.late:
            return False
        self._trace.stop()
        return True

    def explain(self) -> TraceResult | None:
        """Return what the trace has shown, once; None without a trace, or a sample of the step."""
        trace, self.late = self._trace, False
        if trace is None:
            return None
        trace.stop()
        self._trace = None
        self._measurement.schedule.beside_the_pace = True
        sample = self._measurement.latest.sample
        if sample is None:
            return None
        explanations = trace.explain(
            self._cases(trace, sample),
            self._table.names_by_id(),
            self._measurement.members.held,
            self._gates.zeroing(),
        )
        usual = self._measurement.schedule.pace.usual
        ratio = trace.seconds / usual if usual else None
        unasked = frozenset(
            self._table.name(index)
            for index in self._left_out(sample)
            if sample.states[index] in MISSING
        )
        return TraceResult(explanations, trace.seconds, ratio, unasked)

    def stop(self) -> None:
        """Drop the trace, if there is one."""
        if self._trace is not None:
            self._trace.stop()
            self._trace = None

    def _left_out(self, sample: Sample) -> frozenset[int]:
        """Return the parameters whose gradients were no matter of this step, or came before it."""
        return sample.waiting | self._computed_before

    def _cases(self, trace: Trace, sample: Sample) -> list[Case]:
        blocking, left_out = self._gates.blocking(), self._left_out(sample)
        cases = []
        for index, state in enumerate(sample.states):
            if index in self._table.removed or state == State.UNMEASURED:
                continue
            if index in left_out:
                continue
            with self._guard:  # one by one: a fault in one must not keep the others from it
                case = Case(
                    index,
                    self._table.name(index),
                    id(self._table.parameters[index]),
                    State(state).word,
                    not self._holding.is_loose(index),
                    trace.owners(self._table.names[index]),
                    self._freezer.records.freezes.get(index),
                    blocking.get(index),
                    self._measurement.onset,
                    self._finding(index),
                    self._measurement.latest.useful_in(index),
                )
                cases.append(case)
        return cases
