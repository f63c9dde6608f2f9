"""Sampled steps in which nobody does more than measure, from the optimizer's step to its end."""

from __future__ import annotations

from threading import get_ident

from ..base.guard import Guard
from ..live.failing_parts import FailingParts
from ..measure.measurement import Measurement
from ..measure.totals import StepTotals
from ..progress.progress import Progress
from ..torch_compat.autograd import inside_backward
from ..torch_compat.readback import capturing
from .delivery import Delivery
from .lull import Lull
from .run_state import RunState


class CalmSteps:
    """Takes a run through sampled steps of a :class:`Lull` whose samples tell nothing new.

    In as few calls as that takes: a step takes the place of the probe's code and data in the
    processor's caches, and a call of a function costs 1 to 2 µs then, with nothing done.
    """

    def __init__(
        self,
        state: RunState,
        lull: Lull,
        measurement: Measurement,
        totals: StepTotals,
        progress: Progress,
        delivery: Delivery,
        failing: FailingParts,
        guard: Guard,
    ) -> None:
        self._state = state
        self._lull = lull
        self._measurement = measurement
        self._totals = totals
        self._progress = progress
        self._delivery = delivery
        self._failing = failing
        self._guard = guard
        self._measured = False
        """The sample of the step that the optimizer makes now is taken, and tells nothing new."""

    def begins(self, k: int, *, alone: bool) -> bool:
        """Measure what optimizer k is about to apply; return False where that is not all.

        ``alone``: the step was given no closure, nor anything else. What a step before that raised
        has measured is forgotten in any case.
        With nothing measured: as where a gradient is missing, or not finite, or of an earlier step.
        """
        self._measured = False
        if not (alone and self._lull.is_calm and self._state.in_own_process()):
            return False
        if not self._measurement.measure_calm(k):
            return False
        self._measured = True
        if self._totals.clips:
            with self._guard:
                self._totals.measure(k)
        with self._guard:
            self._progress.before_step(k, self._state.step + 1)
        return True

    def passes(self, k: int) -> bool:
        """End a step that was measured so; return False, with nothing done, where that is not all.

        As where the lull is over.
        """
        measured, self._measured = self._measured, False
        state, step = self._state, self._state.step + 1
        if not (measured and self._measurement.timer.rests and self._lull.lasts(step)):
            return False
        if self._failing.due or not self._measurement.is_calm:
            return False
        if self._totals.presses or get_ident() != state.thread or inside_backward() or capturing():
            return False
        state.step, state.between = step, True
        # Guarded one by one: a fault in one must not keep the others from it.
        with self._guard:
            self._measurement.sampler.finish_calm(step)
        with self._guard:
            self._delivery.hand_on()
        with self._guard:
            self._totals.end_step(step, sampled=True)
        with self._guard:
            self._measurement.pass_calm(k, step, self._guard.account.take())
        with self._guard:
            self._progress.after_step(k)
        return True

    def clears(self, k: int) -> bool:
        """Take in that the script has dropped the gradients of optimizer k."""
        if capturing():
            return False
        self._measurement.cleared(k, dropped=True)
        return True
