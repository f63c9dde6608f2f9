"""Answers why gradients are missing in a live job, from its own next step."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from ..base.errors import ExpectationError, GradgateError
from ..base.guard import Guard
from ..base.states import State
from ..base.targets import resolve
from ..diagnosis.case import Case
from ..diagnosis.explanation import Explanation
from ..diagnosis.trace import Trace
from ..freeze.freezer import Freezer
from ..gates.gates import Gates
from ..link.uplink import Uplink
from ..measure.measurement import Measurement
from ..model.commands import CommandState, ExplainCommand, Report
from ..model.sample import Sample
from ..model.table import ParameterTable
from ..torch_compat.readback import capturing
from .expectations import Alert, Expectations
from .missing import MissingGradients
from .schedule import trace_changes_figures

REST = 30.0
"""Seconds from one trace that the job makes by itself to the next, at least."""
MOST_DOUBTS = 10
"""Steps that are sampled out of turn, one after the other."""
MOST = 2000
"""Explanations that are told."""


class Explainer:
    """Traces a step when somebody asks, or when a parameter has lost its gradient.

    A step is traced from one boundary to the next: all of the job's own calls in between, and none
    more. A compiled model is traced on request only, since for that step it runs eagerly, with
    figures that differ in their last bits.
    """

    def __init__(
        self,
        models: Mapping[str, nn.Module],
        table: ParameterTable,
        watch: Measurement,
        freezer: Freezer,
        gates: Gates,
        expectations: Expectations,
        uplink: Uplink,
        guard: Guard,
    ) -> None:
        self._models = models
        self._table = table
        self._watch = watch
        self._freezer = freezer
        self._gates = gates
        self._expectations = expectations
        self._uplink = uplink
        self._guard = guard
        self._lock = threading.Lock()
        self._asked: list[ExplainCommand] = []
        self._answering: list[ExplainCommand] = []
        self._trace: Trace | None = None
        self._looked_at = -REST
        self._missing = MissingGradients()
        self._doubts = 0
        """Steps that were sampled out of turn."""
        self._wanted = False
        """An expectation is broken: the next step is traced."""
        self._failure: ExpectationError | None = None
        self.late = False
        """The traced step ended inside a backward, and is concluded at the next forward."""
        self.latest: dict[str, Explanation] = {}

    def submit(self, command: ExplainCommand) -> None:
        """Answer ``command`` from the step after the next boundary; in any thread."""
        self._uplink.tell_report(Report(command, CommandState.DELIVERED))
        with self._lock:
            self._asked.append(command)

    @property
    def tracing(self) -> bool:
        """Whether the present step is traced."""
        return self._trace is not None

    def pause(self, paused: bool) -> None:
        """An optimizer begins or ends its step, which is not traced."""
        if self._trace is not None:
            self._trace.pause(paused)

    @property
    def alerts(self) -> list[Alert]:
        """What was expected to train and does not."""
        return self._expectations.alerts

    def end_trace(self) -> bool:
        """The step is over: stop watching; return whether it can be concluded.

        Inside a backward the tracer cannot be taken away; then it is at the next forward.
        """
        self.late = self._trace is not None and torch._C._current_graph_task_id() != -1
        if self._trace is None or self.late:
            return False
        self._trace.stop()
        return True

    def receive(self, sample: Sample) -> None:
        """Take in a sample that has arrived on the host."""
        self._missing.receive(sample)
        in_optimizer = self._watch.members.in_optimizer
        self._wanted |= self._expectations.receive(
            sample, self._freezer.records.freezes, in_optimizer
        )
        self._tell_alerts()

    def conclude(self, step: int) -> None:
        """Say what the traced ``step`` has shown."""
        trace, self._trace, self.late = self._trace, None, False
        if trace is None:
            return
        trace.stop()
        self._watch.beside_the_pace = True
        sample = self._watch.latest
        if sample is None:
            return
        commands, self._answering = self._answering, []
        self.latest = trace.explain(
            self._cases(trace, sample),
            self._table.names_by_id(),
            self._watch.members.held,
            self._gates.zeroing(),
        )
        self._missing.mark_explained()
        self._tell_alerts()
        self._failure = self._expectations.failure()
        usual = self._watch.pace.usual
        ratio = trace.seconds / usual if usual else None
        for number in [command.id for command in commands] or [None]:
            self._uplink.tell_explanations(self._message(step, trace.seconds, ratio, number))
        for command in commands:
            indexes = self._named(command.target)
            found = [i for i in indexes if self._table.name(i) in self.latest]
            self._uplink.tell_report(Report(command, CommandState.APPLIED, step, found))

    def boundary(self, step: int) -> None:
        """Trace the coming step if there is reason to."""
        with self._lock:
            asked, self._asked = self._asked, []
        for command in asked:
            self._accept(command, step)
        if self._trace is None and (self._answering or self._has_reason()) and not capturing():
            self._wanted = False
            self._looked_at = time.monotonic()
            self._trace = Trace(self._models, self._table.parameters, self._guard)
            self._trace.start()
            self._watch.beside_the_pace = True
        self._watch.must_sample = self.tracing or self._in_doubt()

    def stop(self) -> None:
        """Watch no more."""
        if self._trace is not None:
            self._trace.stop()
            self._trace = None

    def raise_failure(self, *, last: bool = False) -> None:
        """Raise :class:`ExpectationError` if the run is strict and there is reason to.

        ``last``: the run ends well.
        """
        failure, self._failure = self._failure, None
        failure = failure or (self._expectations.failure(last=True) if last else None)
        if failure is not None:
            raise failure

    def _tell_alerts(self) -> None:
        if self._expectations.update_alerts(self.latest):
            self._uplink.tell_alerts([alert.as_message() for alert in self.alerts])

    def _accept(self, command: ExplainCommand, step: int) -> None:
        try:
            self._named(command.target)
        except GradgateError as error:
            report = Report(command, CommandState.REJECTED, step, reason=str(error))
            self._uplink.tell_report(report)
        else:
            self._answering.append(command)

    @property
    def _rested(self) -> bool:
        return time.monotonic() - self._looked_at >= REST

    def _in_doubt(self) -> bool:
        """Whether to sample the coming step, out of turn, to see if a gradient stays away."""
        if not (self._missing.doubtful and self._rested):
            self._doubts = 0
            return False
        self._doubts += 1
        if self._doubts > MOST_DOUBTS:  # it comes and goes
            self._doubts, self._looked_at = 0, time.monotonic()
        return True

    def _has_reason(self) -> bool:
        if not (self._wanted or (self._rested and len(self._missing.overdue()) > 0)):
            return False
        # It takes long, so it is asked last. A job about to fail may well compute otherwise.
        fails = self._wanted and self._expectations.strict
        if not fails and trace_changes_figures(self._models):
            self._wanted, self._looked_at = False, time.monotonic()
            return False
        return True

    def _cases(self, trace: Trace, sample: Sample) -> list[Case]:
        held = self._watch.members.in_optimizer
        known = any(held)
        stopping = self._gates.stopping()
        return [
            Case(
                index,
                self._table.name(index),
                id(self._table.parameters[index]),
                State(state).word,
                held[index] or not known,
                trace.owners(self._table.names[index]),
                self._freezer.records.freezes.get(index),
                stopping.get(index),
            )
            for index, state in enumerate(sample.states)
            if index not in self._table.removed and state != State.UNMEASURED
        ]

    def _named(self, target: str) -> list[int]:
        return resolve(target, self._table.names)

    def _message(
        self, step: int, seconds: float, ratio: float | None, command: int | None
    ) -> dict[str, Any]:
        places = {self._table.name(i): i for i in range(len(self._table))}
        told = [
            {"parameter": places.get(name), "name": name, **explanation.as_message()}
            for name, explanation in list(self.latest.items())[:MOST]
        ]
        return {
            "type": "explanations",
            "step": step,
            "seconds": seconds,
            "ratio": ratio,
            "command": command,
            "total": len(self.latest),
            "explanations": told,
        }
