"""Gives samples to what judges them: several together, while one is like the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

import numpy as np

from ..base.guard import Guard
from ..live.explainer import Explainer
from ..measure.measurement import Measured
from ..model.sample import Sample
from ..progress.progress import Progress

SETTLED = 32
"""Samples in a row with the same states, after which the next may wait: more than anything counts
before it tells of a state."""
MOST = 8
"""Samples that are judged together."""
LONGEST = 0.25
"""Seconds that a sample waits, at most, while steps are made."""


class Judging:
    """Lets a sample wait for the next while all states are as they were, and steps are applied.

    Judging one costs a step more than its arithmetic: by then the step has taken the place of the
    probe's code and data in the processor's caches. Of several, the first alone pays for that.
    """

    def __init__(
        self,
        progress: Progress,
        explainer: Explainer,
        guard: Guard,
        *,
        patient: bool,
        frozen: Callable[[], Collection[int]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``patient``: a sample may wait; not where what is found ends the job, nor where weights
        are looked at with each. ``frozen``: the parameters that are frozen by command now."""
        self._progress = progress
        self._explainer = explainer
        self._guard = guard
        self._patient = patient
        self._clock = clock
        self._frozen_now = frozen
        self._frozen: frozenset[int] = frozenset()
        """By command, as of the sample that came last: those that wait are judged by that."""
        self._waiting: list[Sample] = []
        self._since = 0.0
        """When the first of them came."""
        self._before: Sample | None = None
        self._alike = 0
        """Samples in a row that were like the one before."""

    def receive(self, measured: Measured) -> None:
        """Take in a sample that has arrived on the host; judge it now where it may not wait."""
        frozen = frozenset(self._frozen_now())
        if frozen != self._frozen:
            self.judge()
            self._frozen = frozen
        if not self._waiting:
            self._since = self._clock()
        self._waiting.append(measured.sample)
        settled = self._is_settled(measured.sample)
        has_more = measured.movement is not None or bool(measured.units)
        if has_more or not (settled and self._patient):
            self.judge()

    def judge_due(self) -> None:
        """Judge what waits if there is enough of it, or if it has waited for long."""
        if not self._waiting:
            return
        if len(self._waiting) >= MOST or self._clock() - self._since >= LONGEST:
            self.judge()

    def judge(self) -> None:
        """Judge what waits."""
        samples, self._waiting = self._waiting, []
        if not samples:
            return
        for sample in samples:
            with self._guard:
                self._progress.receive(sample)
        with self._guard:
            self._explainer.receive(samples, self._frozen)

    def _is_settled(self, sample: Sample) -> bool:
        """Count samples that are like one another; return whether there are enough of them."""
        before, self._before = self._before, sample
        ordinary = not (sample.skipped or sample.waiting)
        alike = before is not None and np.array_equal(before.states, sample.states)
        self._alike = self._alike + 1 if ordinary and alike else 0
        return self._alike >= SETTLED
