"""Sends what was measured: samples, metrics, total norms, and what gates did in a step."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping

from ..base.guard import Guard
from ..base.listeners import Listeners
from ..link.uplink import Uplink
from ..measure.measurement import Measurement
from ..measure.metrics import MetricValues
from ..measure.totals import StepTotals
from ..model.dead_units import DeadUnits
from ..model.movement import Movement
from .judging import Judging
from .run_state import RunState

GATHERING = 0.25
"""Seconds in which metrics and total norms gather, where there is no sample to be sent."""
CLOSE_TIMEOUT = 5.0
"""Seconds that ``detach`` and the end of the program wait for a connected server, at most."""


class Delivery:
    """Collects what has arrived on the host, and gives it to the server and to what judges it."""

    def __init__(
        self,
        state: RunState,
        measurement: Measurement,
        totals: StepTotals,
        uplink: Uplink,
        judging: Judging,
        movement_seen: Listeners[Movement],
        units_seen: Listeners[DeadUnits],
        guard: Guard,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._state = state
        self._measurement = measurement
        self._totals = totals
        self._uplink = uplink
        self.judging = judging
        self.movement_seen = movement_seen
        """Called with what was seen of weights, after the sample of the same step."""
        self.units_seen = units_seen
        self._guard = guard
        self._clock = clock
        self._handed_on = 0
        """The latest step whose sample is on its way to the server, and not taken in yet."""
        self._sent = -math.inf
        """When all was sent that there was."""

    def send_due(self) -> None:
        """Send what there is if somebody needs it, as all samples are, or if it has gathered.

        A boundary finds all that this takes in cold caches, so that each by itself would cost a
        tenth of what the probe takes of a step without a sample.
        """
        due_at = min(self._sent + GATHERING, self.judging.due_at)
        if self._measurement.awaits_values or self._clock() >= due_at:
            self.send()
        elif self._totals.presses:  # an outlier among them has the coming step sampled
            self._send_totals()

    def hand_on(self) -> None:
        """Have the latest sample sent, if there is one; a later boundary takes it in."""
        pending = self._measurement.sampler.pending
        if pending and pending[-1].step > self._handed_on:
            self._handed_on = pending[-1].step
            self.judging.note(pending[-1].step)
            self._uplink.send_pending(pending[-1])

    def catch_up(self) -> None:
        """Take in the samples that boundaries have put off."""
        if self._measurement.sampler.pending:
            with self._guard:
                self.send()

    def send(self, *, wait: bool = False) -> None:
        """Send what was measured and has arrived on the host; ``wait``: also what has not."""
        self._sent = self._clock()
        measured, metrics = self._measurement.collect(wait=wait)
        for each in measured:
            if each.sample.step > self._handed_on:
                with self._guard:
                    self._uplink.send_sample(each.sample)
            with self._guard:
                self._totals.receive(each.sample)
            with self._guard:
                self.judging.receive(each, is_latest=each is measured[-1])
            if each.movement is not None:
                with self._guard:
                    self.movement_seen.call(each.movement)
            if each.distributions is not None:
                with self._guard:
                    self._uplink.send_distributions(each.distributions)
            for units in each.units:
                with self._guard:
                    self.units_seen.call(units)
        with self._guard:
            if wait:
                self.judging.judge()
            else:
                self.judging.judge_due()
        self._send_metrics(metrics)
        with self._guard:
            self._send_totals(wait=wait)

    def send_gate_figures(
        self, figures: Mapping[int, dict[str, float | None]], *, sampled: bool
    ) -> None:
        """Send what gates did, by step; of the step that ended only where it is sampled."""
        for step, values in figures.items():
            if sampled or step < self._state.step:
                with self._guard:
                    self._uplink.send_metrics(MetricValues(step, time.time(), values))

    def log(self, metrics: Mapping[str, object] | None, more: Mapping[str, object]) -> None:
        """Take metrics of the present step, and send them once many wait."""
        self._guard.run(self._log, metrics, more)

    def flush(self, timeout: float) -> bool:
        """Send everything, and wait until the server has stored it; False after ``timeout``.

        And in a forked child, which has nothing to send: the run is its parent's.
        """
        if not self._state.in_own_process():
            return False
        self._send_all()
        return self._uplink.wait_stored(timeout)

    def close(self, *, failed: bool) -> None:
        """Send what is left, say goodbye, and end the link; ``failed``: training raised."""
        if self._state.in_own_process():
            self._send_all()
            with self._guard:
                self._uplink.close(CLOSE_TIMEOUT, failed=failed)

    def close_at_exit(self, *, raised: bool) -> None:
        """Close as the program ends without a detach; ``raised``: by an uncaught exception."""
        self.close(failed=raised or self._uplink.end_is_told)

    def _send_all(self) -> None:
        with self._guard, self._measurement.metrics.handing_on:
            self.send(wait=True)

    def _send_metrics(self, metrics: Iterable[MetricValues]) -> None:
        for values in metrics:
            with self._guard:
                self._uplink.send_metrics(values)

    def _send_totals(self, *, wait: bool = False) -> None:
        totals = self._totals.collect(wait=wait)
        if totals is not None:
            self._uplink.send_totals(totals)

    def _log(self, metrics: Mapping[str, object] | None, more: Mapping[str, object]) -> None:
        if not self._state.attached:
            return
        self._measurement.metrics.add(self._state.coming_step(), {**(metrics or {}), **more})
        # And nothing else: this may be a thread of the script's, or the handler of a signal.
        if self._measurement.metrics.full:
            self._send_metrics(self._measurement.metrics.collect())
