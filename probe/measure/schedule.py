"""Which steps are sampled, and what came of the pace so far."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from .pace import Meter, Pace

LONGEST_REST = 100
"""Steps after which a sample out of turn may follow another, however rare samples are."""


class _Ended(NamedTuple):
    """A step that has ended."""

    step: int
    now: float
    spent: float
    """Seconds that the probe took in it."""
    sampled: bool
    beside: float = 0.0
    """Seconds of these that say nothing of what a sample costs."""
    beside_the_pace: bool = False
    """What it cost says nothing of other steps."""


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
        self._passed: list[_Ended] = []
        """Steps that are recorded with the next."""
        self._unseen: list[tuple[int, float]] = []
        """Steps that ended since one was accounted for, and when."""
        self._off = False
        self._asked = False
        self._asked_at: int | None = None
        """The step after which a sample out of turn was granted last."""

    @property
    def takes_all(self) -> bool:
        """Whether every step is sampled, the coming one included."""
        return self.pace.takes_all and not self._off and self.agree is None

    def next_due(self, step: int) -> int:
        """Return a step from ``step`` on before which none is sampled, as far as is known."""
        asked = self.must_sample or self._asked or self.agree is not None
        return step if asked else self.pace.next_due(step)

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
        self._note(step, spent, sampled=sampled, beside=beside)
        passed, self._passed = self._passed, []
        unseen = self.pace.unseen
        for ended in passed:
            self._record(ended, unseen)
        self.beside_the_pace = False
        due = (self.pace.due(step + 1) or self.must_sample or self._asked) and not self._off
        if self.agree is not None:
            due = self.agree(step + 1, due) and not self._off
        self.sampling = due
        self._asked = False

    def pass_step(self, step: int, spent: float, *, sampled: bool) -> None:
        """Note a step behind which the coming one is of its kind, sampled or not, for later."""
        self._note(step, spent, sampled=sampled)

    def pass_unseen(self, step: int) -> None:
        """Note a step that nobody looked at; what it took is accounted for with the next."""
        self._unseen.append((step, time.perf_counter()))

    def _note(self, step: int, spent: float, *, sampled: bool, beside: float = 0.0) -> None:
        """Note a step for the record, behind those that nobody looked at.

        Each of them took as much as it: of each by itself it is not known.
        """
        unseen, self._unseen = self._unseen, []
        each = (spent - beside) / (1 + len(unseen))
        self._passed += [_Ended(before, then, each, sampled=False) for before, then in unseen]
        now, spent = time.perf_counter(), each + beside
        self._passed.append(_Ended(step, now, spent, sampled, beside, self.beside_the_pace))

    def _record(self, ended: _Ended, unseen: float) -> None:
        """Record a step; ``unseen``: seconds that it took beside what was spent."""
        seconds = self.meter.record(ended.now, ended.spent + unseen)
        if not ended.beside_the_pace:
            took = None if seconds is None else seconds - ended.beside
            self.pace.record(ended.step, took, ended.spent - ended.beside, sampled=ended.sampled)

    def switch_off(self) -> None:
        """Sample no step any more."""
        self._off, self.sampling = True, False
