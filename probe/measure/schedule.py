"""Which steps are sampled, and what came of the pace so far."""

from __future__ import annotations

import time
from collections.abc import Callable

from .pace import Meter, Pace

LONGEST_REST = 100
"""Steps after which a sample out of turn may follow another, however rare samples are."""


class SamplingSchedule:
    """Says whether the coming step is sampled: in its turn, or because somebody wants to see it."""

    def __init__(self, pace: Pace) -> None:
        self.pace = pace
        self.agree: Callable[[int, bool], bool] | None = None
        """Returns whether a step is sampled, which a rank may not decide alone."""
        self.meter = Meter()
        self.sampling = pace.due(1)
        """Whether the coming step is measured."""
        self.must_sample = False
        """The coming step is sampled whether its turn has come or not."""
        self.beside_the_pace = False
        """The cost of the present step says nothing of other steps: one of them was traced."""
        self._off = False
        self._asked = False
        self._asked_at: int | None = None
        """The step after which a sample out of turn was granted last."""

    def ask(self, step: int) -> None:
        """Sample the coming step, since something began in ``step``.

        Refused so soon after another; who still needs a sample asks again in the next step.
        """
        rest = min(self.pace.interval, LONGEST_REST)
        if self._asked_at is None or step - self._asked_at >= rest:
            self._asked, self._asked_at = True, step

    def end_step(self, step: int, spent: float, *, sampled: bool, beside: float = 0.0) -> None:
        """Account for a step, in which the probe took ``spent`` seconds, and plan the next.

        ``beside``: seconds of these that say nothing of what a sample costs.
        """
        seconds = self.meter.record(time.perf_counter(), spent)
        if not self.beside_the_pace:
            took = None if seconds is None else seconds - beside
            self.pace.record(step, took, spent - beside, sampled=sampled)
        self.beside_the_pace = False
        due = (self.pace.due(step + 1) or self.must_sample or self._asked) and not self._off
        if self.agree is not None:
            due = self.agree(step + 1, due) and not self._off
        self.sampling = due
        self._asked = False

    def switch_off(self) -> None:
        """Sample no step any more."""
        self._off, self.sampling = True, False
