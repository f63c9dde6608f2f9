"""Answers why gradients are missing in a live job, from its own next step."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from torch import nn

from ..base.errors import CommandError
from ..base.guard import Guard
from ..base.wire_text import LONGEST_NAME, wire_name
from ..diagnosis.case import Finding
from ..diagnosis.explanation import Explanation
from ..freeze.freezer import Freezer
from ..gates.registry import GateRegistry
from ..link.uplink import Uplink
from ..measure.measurement import Measurement
from ..model.commands import ExplainCommand
from ..model.sample import Sample
from ..model.table import ParameterTable
from ..steer.reports import Reports
from ..torch_compat.readback import capturing
from ..torch_compat.wrappers import Wrappers
from .alerts import Alerts
from .expectations import Expectations
from .explain_commands import ExplainCommands
from .holding import Holding
from .rank_scope import RankScope
from .restraints import Restraints
from .schedule import TraceSchedule
from .traced_step import TracedStep, TraceResult

MOST = 2000
"""Explanations that are sent."""
MOST_TRIES = 8
"""Steps that are traced for who asks, until each optimizer of several takes part in one."""
OFF = "explanations are switched off in this run, for they failed again and again."


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
        measurement: Measurement,
        freezer: Freezer,
        gates: GateRegistry,
        holding: Holding,
        expectations: Expectations,
        restraints: Restraints,
        alerts: Alerts,
        uplink: Uplink,
        reports: Reports,
        guard: Guard,
        wrappers: Wrappers,
        finding: Callable[[int], Finding | None],
        *,
        source: bool = True,
    ) -> None:
        """``finding``: what steps have been seen to do wrong to a parameter; ``source``: lines of
        the script may be sent.
        """
        self._source = source
        self._table = table
        self._measurement = measurement
        self._holding = holding
        self._expectations = expectations
        self._restraints = restraints
        self._alerts = alerts
        self._uplink = uplink
        self._guard = guard
        self._schedule = TraceSchedule(models, wrappers, strict=alerts.strict)
        self._step = TracedStep(models, table, measurement, freezer, gates, holding, guard, finding)
        self._commands = ExplainCommands(table, reports.send, guard)
        self._scope = RankScope(models, table, wrappers)
        self._off = False
        self._tries: list[TraceResult] = []
        """Steps that were traced for who asks now, each with what those before it have shown."""
        self.latest: dict[str, Explanation] = {}
        """By name: of the step that was traced last."""

    @property
    def tracing(self) -> bool:
        """Return whether the present step is traced."""
        return self._step.running

    @property
    def late(self) -> bool:
        """Return whether the traced step ended inside a backward, and waits for a forward."""
        return self._step.late

    @property
    def rests(self) -> bool:
        """Return whether no step is traced, nor is anything asked that one is traced for."""
        return not (self._step.running or self._step.late or self._commands.waiting)

    def answer(self, command: ExplainCommand) -> None:
        """Answer ``command`` from the step that begins at the boundary at hand.

        Raises :class:`CommandError` where explanations are switched off.
        """
        if self._off:
            raise CommandError(OFF)
        self._commands.add(command)

    def boundary(self, step: int, *, late: bool = False) -> None:
        """Trace the coming step if there is reason to; ``step`` has just ended.

        ``late``: noticed only after the next backward.
        """
        if self._off:
            self._measurement.schedule.must_sample = False
            self._commands.reject(step, OFF)
            return
        tracing = self._step.running
        # In this order: the schedule takes the question for an occasion to dismiss its reason.
        wanted = not tracing and (self._commands.waiting or self._schedule.wants_trace())
        if wanted and not capturing():
            self._schedule.begin_trace()
            with self._guard.attempt() as attempt:
                self._step.start(late=late)
            if attempt.error is not None:
                self._commands.reject(step, f"{attempt.fault}.")
            tracing = self._step.running
        self._measurement.schedule.must_sample = tracing or self._schedule.wants_sample()

    def pause(self, paused: bool, k: int) -> None:
        """Leave out a step of optimizer k, which begins or ends."""
        self._step.pause(paused, k)

    def end_trace(self) -> bool:
        """End the trace with the step; return whether it can be concluded now, or is late."""
        return self._step.end()

    def receive(
        self, samples: Sequence[Sample], frozen: Collection[int], held: Sequence[bool]
    ) -> None:
        """Take in samples that have arrived on the host, the latest of them at the end.

        ``frozen``: what was frozen by command in all of them; ``held``: of every parameter, whether
        an optimizer held it. Weights are as the step of the latest has left them, so what looks at
        them is given that one alone.
        """
        latest = samples[-1]
        with self._guard:
            self._holding.receive(latest)
        is_loose = partial(self._holding.is_loose, held=held)
        for sample in samples:
            with self._guard:  # one that cannot be taken in takes no other along
                broken = self._expectations.receive(sample, frozen, is_loose)
                self._schedule.receive(sample, expectation_broken=broken)
        self._restraints.receive(latest, frozen)
        self._alerts.update()

    def conclude(self, step: int) -> None:
        """Send what the traced ``step`` has shown, and answer who asked for it."""
        with self._guard.attempt() as attempt:
            result = self._step.explain()
            if result is None:  # no sample of the step: who asked waits for the next
                return
            if self._commands.waiting:
                result = self._add_to_tries(result)
                if result.unasked and len(self._tries) < MOST_TRIES:
                    return
            self._tries.clear()
            scoped = self._scope.tell(result.explanations)
            self._publish(replace(result, explanations=scoped), step)
        if attempt.error is None:
            self._commands.apply(step, self.latest)
        else:
            self._tries.clear()
            self._commands.reject(step, f"{attempt.fault}.")

    def stop(self) -> None:
        """Watch no more."""
        self._step.stop()

    def switch_off(self) -> None:
        """Trace no step any more, whoever asks."""
        self._off = True
        self.stop()

    def _add_to_tries(self, result: TraceResult) -> TraceResult:
        """Add to a result what earlier steps have shown of parameters that it has nothing of."""
        if self._tries:
            before = self._tries[-1]
            asked = result.unasked - before.unasked
            kept = {name: why for name, why in before.explanations.items() if name in asked}
            result = replace(
                result,
                explanations=result.explanations | kept,
                unasked=result.unasked & before.unasked,
            )
        self._tries.append(result)
        return result

    def _publish(self, result: TraceResult, step: int) -> None:
        self.latest = result.explanations
        self._schedule.mark_explained()
        self._alerts.explain(self.latest, step)
        message = self._message(result, step)
        for number in self._commands.numbers or [None]:
            self._uplink.send_explanations({**message, "command": number})

    def _message(self, result: TraceResult, step: int) -> dict[str, Any]:
        """Make what is sent of a traced step, but for the command that it answers."""
        indexes = {self._table.name(index): index for index in range(len(self._table))}
        told = []
        for name, explanation in list(result.explanations.items())[:MOST]:
            with self._guard:  # one by one: a fault in one must not keep the others back
                sent = explanation if self._source else replace(explanation, source=None)
                message = sent.as_message()
                known = {"parameter": indexes.get(name), "name": wire_name(name, LONGEST_NAME)}
                told.append({**known, **message})
        return {
            "type": "explanations",
            "step": step,
            "seconds": result.seconds,
            "ratio": result.ratio,
            "command": None,
            "total": len(result.explanations),
            "explanations": told,
        }
