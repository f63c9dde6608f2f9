"""Looks ahead, at the end of a step: what do the coming ones ask for?"""

from __future__ import annotations

import time
from collections.abc import Callable

from ..freeze.records import FreezeRecords
from ..gates.registry import GateRegistry
from ..live.explainer import Explainer
from ..live.failing_parts import FailingParts
from ..measure.measurement import Measurement
from ..measure.totals import StepTotals
from ..progress.progress import Progress
from ..steer.preview_requests import PreviewRequests
from ..steer.savings import GOLDEN_RATIO
from ..steer.steering import Steering
from ..steer.writers import Writers
from .judging import Judging
from .lull import Lull

FEWEST, MOST = 32, 64
"""Steps in a row whose boundaries put their work off, in turn so many."""
SHORTEST = 4
"""Steps before one that all look at, for which a lull of their own would be too short."""
LONGEST = 1.0
"""Seconds from one boundary that does all its work to the next, at most, while steps are made."""


class Outlook:
    """Plans a :class:`Lull`, by asking every part whether it may want to do anything in it.

    Whatever might change what a step computes, or has to be told at once, is a reason for none:
    a command, a gate, a freeze, a trace, other ranks, a sample that tells something new.
    """

    def __init__(
        self,
        lull: Lull,
        measurement: Measurement,
        totals: StepTotals,
        freezes: FreezeRecords,
        gates: GateRegistry,
        steering: Steering,
        previews: PreviewRequests,
        explainer: Explainer,
        progress: Progress,
        judging: Judging,
        failing: FailingParts,
        writers: Writers,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lull = lull
        self._measurement = measurement
        self._totals = totals
        self._freezes = freezes
        self._gates = gates
        self._steering = steering
        self._previews = previews
        self._explainer = explainer
        self._progress = progress
        self._judging = judging
        self._failing = failing
        self._writers = writers
        self._clock = clock

    def plan(self, step: int) -> None:
        """Plan the steps behind ``step``, which has ended."""
        self._lull.end()
        schedule = self._measurement.schedule
        if self._asks_nothing() and self._measurement.rests:
            alone = self._measurement.has_one_optimizer and self._progress.rests
            until = min(self._clock() + LONGEST, self._judging.due_at, self._totals.due_at)
            last = self._last(step)
            if self._progress.looks_closely:  # of which nothing is left behind the step after
                last = min(last, step + 1)
            self._lull.begin(
                last,
                until,
                is_quiet=alone and not schedule.sampling and self._totals.rests,
                is_calm=alone and schedule.sampling and self._measures_alone(),
            )

    def _asks_nothing(self) -> bool:
        """Return whether nobody is about to change what a step computes, or to look at it."""
        return (
            self._steering.rests
            and not self._freezes.freezes
            and not self._gates.changes  # there is no gate, nor was there one
            and self._explainer.rests
            and not self._previews.waiting
            and not self._failing.due
        )

    def _measures_alone(self) -> bool:
        """Return whether a sample is all that is taken in a step, and of its optimizer alone.

        On the CPU: what comes from another device tells nothing before it is asked for.
        """
        measurement = self._measurement
        others = measurement.members.known_loose or self._writers.watching
        return measurement.sampler.calm and not others

    def _last(self, step: int) -> int:
        """Return the last step behind which a boundary may put its work off.

        So many that no kind of step that comes again and again is always the one behind a lull.
        """
        last = step + FEWEST + int((MOST - FEWEST + 1) * (step * GOLDEN_RATIO % 1.0))
        schedule = self._measurement.schedule
        if schedule.sampling:  # of what is like the sample before nobody has to hear at once
            return last if schedule.takes_all and self._judging.is_settled else step
        if self._measurement.sampler.pending:  # they are on their way from a device
            return step
        # Behind the one before a sample, that is planned.
        planned = schedule.next_due(step + 1) - 2
        return planned if planned - last < SHORTEST else last
