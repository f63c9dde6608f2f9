"""Gives samples to what judges them: several together, while one is like the other."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Sequence

from ..base.guard import Guard
from ..live.explainer import Explainer
from ..measure.measurement import Measured
from ..model.sample import Sample
from ..model.stretches import stretches
from ..progress.progress import Progress

SETTLED = 32
"""Samples in a row with the same states, after which the next may wait: more than anything counts
before it tells of a state."""
MOST = 16
"""Samples that are judged together."""
LONGEST = 1.0
"""Seconds that a sample waits, at most, while steps are made. Where samples come that rarely, none
waits."""

_Known = tuple[frozenset[int], Sequence[bool]]
"""What is frozen by command, and of every parameter whether an optimizer holds it."""


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
        held: Callable[[], Sequence[bool]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``patient``: a sample may wait; not where what is found ends the job, nor where weights
        are looked at with each. ``frozen``: the parameters that are frozen by command now;
        ``held``: of every parameter, whether an optimizer holds it."""
        self._progress = progress
        self._explainer = explainer
        self._guard = guard
        self._patient = patient
        self._clock = clock
        self._frozen_now = frozen
        self._held_now = held
        self._frozen: frozenset[int] = frozenset()
        """As of the sample that came last, by which those that wait are judged; so is the next."""
        self._held: Sequence[bool] = ()
        self._noted: dict[int, _Known] = {}
        """Of samples that have not come yet, by step."""
        self._latest_noted: _Known = (frozenset(), ())
        """The same object for all of which the same is known."""
        self._waiting: list[Sample] = []
        self._is_due = False
        """One of them may not wait."""
        self.due_at = math.inf
        """When the first of them has waited for as long as one may, at the latest."""
        self._latest = -math.inf
        """When the latest sample came."""
        self._before: Sample | None = None
        self._alike = 0
        """Samples in a row that were like the one before."""

    @property
    def is_settled(self) -> bool:
        """Whether a sample that is like the one before may wait, and the one before does."""
        return self._patient and not self._is_due and self._alike >= SETTLED

    def note(self, step: int) -> None:
        """Keep what is known now of the sample of ``step``, which comes later."""
        known = self._known_now()
        if known != self._latest_noted:
            self._latest_noted = known
        self._noted[step] = self._latest_noted

    def receive(self, measured: Measured, *, is_latest: bool = True) -> None:
        """Take in a sample that has arrived on the host.

        Where more was seen in its step, which is taken in next, it is judged now. ``is_latest``: it
        is that of the latest step, as far as any has arrived.
        """
        step = measured.sample.step
        frozen, held = self._noted.pop(step) if step in self._noted else self._known_now()
        if (frozen, held) != (self._frozen, self._held):
            self.judge()
            self._frozen, self._held = frozen, held
        if is_latest:
            with self._guard:
                self._progress.tell_groups(measured.sample.step)
        now = self._clock()
        rare, self._latest = now - self._latest >= LONGEST, now
        if not self._waiting:
            self.due_at = now + LONGEST
        self._waiting.append(measured.sample)
        settled = self._is_settled(measured.sample)
        self._is_due |= rare or not (settled and self._patient)
        if measured.movement is not None or measured.units:
            self.judge()

    def judge_due(self) -> None:
        """Judge what waits if there is enough of it, or if it has waited for long."""
        if not self._waiting:
            return
        if self._is_due or len(self._waiting) >= MOST or self._clock() >= self.due_at:
            self.judge()

    def judge(self) -> None:
        """Judge what waits."""
        samples, self._waiting = self._waiting, []
        self._is_due, self.due_at = False, math.inf
        if not samples:
            return
        for stretch in stretches(samples):
            with self._guard:
                self._progress.receive(stretch)
        with self._guard:
            self._explainer.receive(samples, self._frozen, self._held)

    def _known_now(self) -> _Known:
        return frozenset(self._frozen_now()), self._held_now()

    def _is_settled(self, sample: Sample) -> bool:
        """Count samples that are like one another; return whether there are enough of them."""
        before, self._before = self._before, sample
        ordinary = not (sample.skipped or sample.waiting)
        alike = before is not None and sample.has_states_of(before)
        self._alike = self._alike + 1 if ordinary and alike else 0
        return self._alike >= SETTLED
