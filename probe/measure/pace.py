"""How often to sample, and what the probe costs."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection
from statistics import fmean, median

MAX_INTERVAL = 100_000
"""The probe never samples less often than this, in steps."""

LONGEST_UNASKED = 17
"""Steps for which the interval counts as what it was, at most.

A prime: of steps that come again and again none is always the one in which it is asked."""

LEAST_ROOM = 0.1
"""The part of the budget that samples, and looks, have even where the hooks alone use it up."""

LEAST_COMPARED = 5
"""Steps with a sample, and without, that tell together how much longer the former are."""

UNSEEN = 0.7
"""What a step without a sample costs beside what the clocks of its hooks see, as a part of that.

About, of a compiled model on the CPU: torch's way into a hook, and what the step lacks in the
caches behind it (``benchmarks/side_by_side.py --by-default`` against what the run tells)."""

MOST_UNSEEN = 3.0
"""How many times what its hooks took a sample may be said to cost, at most."""


class Pace:
    """Decides which steps are sampled, so that sampling stays within a budget.

    ``every``: sample each n-th step exactly; or None, and the interval follows from the
    measured cost of a sample, the measured time of a step and ``budget``, the share of
    the step time that the probe may take. What the probe costs in steps without a sample
    comes off the budget first. The time of a step is the median of the latest, so that an
    evaluation between two steps does not count; what either kind of step costs is their mean,
    since on a busy machine some samples cost several times the median, and in some steps without
    one the total norm is taken, but without the worst, since the first one warms caches up. Where
    steps with a sample are longer than others by more than that, as the caches are cold behind it
    or as it is being sent, it costs that.
    """

    def __init__(self, every: int | None, budget: float) -> None:
        self.budget = budget
        """The share of the step time that the probe may take."""
        self._every = every
        self._samples: deque[float] = deque(maxlen=20)
        self._idle: deque[float] = deque(maxlen=50)
        self._steps: deque[float] = deque(maxlen=20)
        self._unsampled: deque[float] = deque(maxlen=20)
        """Those of the steps without a sample."""
        self._longer: deque[float] = deque(maxlen=20)
        """By how much steps with a sample were longer than such of the same time."""
        self._last_sampled = 0
        self._asked_at = 0
        """The step at which the interval, which takes medians, is to be found anew."""

    @property
    def adapts(self) -> bool:
        """Whether samples are taken as often as the budget allows, and not each n-th step."""
        return self._every is None

    @property
    def takes_all(self) -> bool:
        """Whether each step is sampled."""
        return self._every == 1

    @property
    def interval(self) -> int:
        """Each how many steps one is sampled at present."""
        if self._every is not None:
            return self._every
        if not self._samples or not self._steps:
            return 1
        affordable = self.budget * median(self._steps) * self.room()
        if affordable <= 0:
            return MAX_INTERVAL
        wanted = round(self._sample_cost() / affordable, 6)  # seconds were subtracted
        return min(MAX_INTERVAL, max(1, math.ceil(wanted)))

    def room(self) -> float:
        """Return which part of the budget the hooks leave, 0.1 to 1, where samples adapt to it."""
        budget = self.budget * median(self._steps) if self._steps else 0.0
        if self._every is not None or not self._idle or budget <= 0:
            return 1.0
        return max(1.0 - (1.0 + UNSEEN) * _usual_cost(self._idle) / budget, LEAST_ROOM)

    @property
    def unseen(self) -> float:
        """Seconds that each step takes, about, and no clock sees; 0 where all are sampled."""
        return UNSEEN * _usual_cost(self._idle) if self._idle else 0.0

    @property
    def usual(self) -> float | None:
        """Seconds of a step of late, without the probe's part: the median; None before two."""
        return median(self._steps) if self._steps else None

    def due(self, step: int) -> bool:
        """Whether the coming step ``step`` is to be sampled."""
        if self._every is not None:
            return step % self._every == 0
        if step < self._asked_at:
            return False
        left = self._last_sampled + self.interval - step
        if left > 0:
            self._asked_at = step + min(LONGEST_UNASKED, left)
        return left <= 0

    def next_due(self, step: int) -> int:
        """Return a step from ``step`` on before which none is due, as far as is known."""
        if self._every is not None:
            return step + -step % self._every
        return max(step, self._asked_at)

    def record(self, step: int, seconds: float | None, spent: float, *, sampled: bool) -> None:
        """Note a step: its wall time (None when unknown) and the probe's share of it."""
        if seconds is not None:
            self._compare(seconds, spent, sampled=sampled)
        if sampled:
            self._samples.append(spent)
            self._last_sampled = step
        else:
            self._idle.append(spent)

    def _compare(self, seconds: float, spent: float, *, sampled: bool) -> None:
        rest = max(0.0, seconds - spent)
        self._steps.append(rest)
        if not sampled:
            self._unsampled.append(rest)
        elif len(self._unsampled) >= LEAST_COMPARED:
            self._longer.append(seconds - median(self._unsampled))

    def _sample_cost(self) -> float:
        hooks = _usual_cost(self._samples)
        if len(self._longer) < LEAST_COMPARED:
            return hooks
        return min(MOST_UNSEEN * hooks, max(hooks, median(self._longer)))


def _usual_cost(costs: Collection[float]) -> float:
    """Return the mean without the worst, of one at least."""
    ordered = sorted(costs)
    return fmean(ordered[:-1] or ordered)


class Meter:
    """The probe's share of the training thread's time and the steps per second, of late.

    Both are averages that forget with a time constant of ``horizon`` seconds.
    """

    def __init__(self, horizon: float = 10.0) -> None:
        self._horizon = horizon
        self._elapsed = 0.0
        self._spent = 0.0
        self._steps = 0.0
        self._last: float | None = None

    def record(self, now: float, spent: float) -> float | None:
        """Note a boundary at ``now`` (a monotonic clock) and return the step's wall time.

        ``spent`` is the probe's own time since the boundary before, in seconds.
        """
        if self._last is None:
            self._last = now
            return None
        seconds = now - self._last
        self._last = now
        keep = math.exp(-seconds / self._horizon)
        self._elapsed = self._elapsed * keep + seconds
        self._spent = self._spent * keep + spent
        self._steps = self._steps * keep + 1
        return seconds

    def cost(self) -> float | None:
        """The probe's share of the training thread's time, 0 to 1; None before two steps."""
        return self._spent / self._elapsed if self._elapsed > 0 else None

    def steps_per_second(self, now: float) -> float | None:
        """Steps per second of late; it falls while no step is made. None before two steps."""
        if self._last is None or self._elapsed <= 0:
            return None
        idle = max(0.0, now - self._last)
        if idle <= 2 * self._elapsed / max(self._steps, 1.0):
            return self._steps / self._elapsed
        keep = math.exp(-idle / self._horizon)
        return self._steps * keep / (self._elapsed * keep + idle)
