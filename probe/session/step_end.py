"""The end of a step: its sample is completed, commands are applied, the next one is planned."""

from __future__ import annotations

from ..base.guard import Guard
from ..freeze.freezer import Freezer
from ..gates.gates import Gates
from ..live.alerts import Alerts
from ..live.explainer import Explainer
from ..live.failing_parts import FailingParts
from ..measure.measurement import Measurement
from ..measure.totals import StepTotals
from ..progress.progress import Progress
from ..steer.preview_requests import PreviewRequests
from ..steer.saved_reports import SavedReports
from ..steer.steering import Steering
from ..torch_compat.readback import capturing
from .alignment import Alignment
from .delivery import Delivery
from .lull import Lull
from .outlook import Outlook
from .run_state import RunState


class StepEnd:
    """Takes every part of a run through a step boundary, in this order and each guarded alone.

    It has many attributes since it is the one place that knows the order.
    """

    def __init__(
        self,
        state: RunState,
        measurement: Measurement,
        totals: StepTotals,
        freezer: Freezer,
        gates: Gates,
        steering: Steering,
        saved: SavedReports,
        previews: PreviewRequests,
        explainer: Explainer,
        progress: Progress,
        alerts: Alerts,
        alignment: Alignment,
        delivery: Delivery,
        failing: FailingParts,
        lull: Lull,
        outlook: Outlook,
        guard: Guard,
    ) -> None:
        self._state = state
        self._measurement = measurement
        self._totals = totals
        self._freezer = freezer
        self._gates = gates
        self._steering = steering
        self._saved = saved
        self._previews = previews
        self._explainer = explainer
        self._progress = progress
        self._alerts = alerts
        self._alignment = alignment
        self._delivery = delivery
        self._failing = failing
        self._lull = lull
        self._outlook = outlook
        self._guard = guard

    def run(self, *, skipped: bool = False, late: bool = False) -> None:
        """End a step; ``skipped``: the optimizer did not apply it; ``late``: see RunState."""
        self._state.begin_boundary(late=late)
        if self._failing.due:
            with self._guard:
                self._failing.switch_off()
                self._alerts.update()
        # A skipped step is trouble, so it is sampled whether its turn has come or not.
        sampled = (self._measurement.schedule.sampling or skipped) and not capturing()
        # Guarded one by one: a fault in measuring must not keep commands from being applied.
        if sampled:
            with self._guard:
                gated = self._gates.blocked.find() if self._gates.registry.changes else frozenset()
                self._measurement.finish_sample(self._state.step, gated, skipped=skipped)
        with self._guard:
            self._totals.end_step(self._state.step, sampled=sampled)
        with self._guard:
            if not (skipped or late) and self._may_pass(sampled=sampled):
                self._pass(sampled=sampled)
                return
        self._do_all(sampled=sampled, skipped=skipped, late=late)

    def _may_pass(self, *, sampled: bool) -> bool:
        """Return whether all else may be left to a later boundary, as was planned at one before."""
        measurement = self._measurement
        calm = measurement.sampler.calm if sampled else True
        return calm and not self._totals.presses and self._lull.lasts(self._state.step)

    def _pass(self, *, sampled: bool) -> None:
        """Do what no later boundary can do for this one."""
        if sampled:
            self._delivery.hand_on()
        if self._measurement.timer.has_timed:
            self._take_timings()
            self._plan_timing()
        spent = self._guard.account.take()
        self._measurement.pass_step(self._state.step, spent, sampled=sampled)

    def _do_all(self, *, sampled: bool, skipped: bool, late: bool) -> None:
        if sampled:
            with self._guard:
                self._measurement.members.refresh()
        with self._guard:
            self._deliver()
        with self._guard:
            self._take_timings()
        with self._guard:
            self._measurement.members.catch_up()
        if self._gates.registry.changes:
            with self._guard:
                self._account_for_gates(sampled=sampled)
        else:  # there never was a gate
            self._gates.step.begin(self._state.step + 1)
        if not self._steering.rests:
            with self._guard:
                self._steer(skipped=skipped, sampled=sampled)
        if self._gates.registry.changes:
            with self._guard:
                self._alignment.follow_gates(late=late)
        with self._guard:
            self._progress.boundary(self._state.step)
        with self._guard:
            self._previews.boundary()
        with self._guard:
            self._explainer.boundary(self._state.step, late=late)
        self._plan_next(sampled=sampled, late=late)

    def _take_timings(self) -> None:
        """Take in what backwards took, as far as it is known by now."""
        for timing in self._measurement.timer.step_ended(self._state.step):
            with self._guard:
                self._saved.receive(timing)

    def _plan_timing(self) -> None:
        """Time the backward of the coming step, if somebody wants to know what it takes."""
        self._measurement.timer.plan(wanted=self._saved.savings.wants(self._state.step + 1))

    def _deliver(self) -> None:
        """Send what has arrived, and say why gradients are missing, if the step was traced."""
        if self._explainer.end_trace():
            self._delivery.send(wait=True)
            self._explainer.conclude(self._state.step)
        else:
            self._delivery.send_due()

    def _account_for_gates(self, *, sampled: bool) -> None:
        """Send what gates did, and let all be trained again: commands meet the job as it is."""
        try:
            figures = self._gates.accounting.end_step(self._state.step)
            self._delivery.send_gate_figures(figures, sampled=sampled)
        finally:
            self._gates.blocked.release()

    def _steer(self, *, skipped: bool, sampled: bool) -> None:
        """Verify what was commanded, and apply what is asked for now."""
        ended = False
        with self._guard:
            ended = self._freezer.follow_script()
        step = self._state.step
        if self._steering.boundary(step, look=sampled, skipped=skipped) or ended:
            self._alignment.follow_freezes()

    def _plan_next(self, *, sampled: bool, late: bool) -> None:
        """Account for what the probe took in the step that ended, and plan the next one."""
        spent = self._guard.account.take()
        self._measurement.end_step(self._state.step, spent, sampled=sampled, late=late)
        self._plan_timing()
        self._outlook.plan(self._state.step)
