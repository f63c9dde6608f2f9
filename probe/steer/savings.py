"""What a command saved: backward time and memory, before and after, from the job's own steps."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Sequence
from dataclasses import asdict, dataclass
from math import hypot, sqrt
from statistics import median, median_low, quantiles
from typing import Any, Generic, Protocol, TypeVar

WINDOW = 20
"""Measured steps before a command that are kept."""
CHANGED = 2
"""Measured steps in a row that are all shorter, or all longer, than those before, where the job has
changed: of equal, noisy steps it happens once in a hundred."""
BETWEEN = 0.25
"""Seconds of backwards that are not measured between two that are, once so many are kept: to time
one costs a step 0.2 ms on the CPU."""
FEWEST_BETWEEN, MOST_BETWEEN = 6, 40
"""Steps that are not measured between two that are, on average, whatever they take."""
FEWEST_BEFORE = 5
"""Measured steps before a command without which there is no figure."""
MEASURED_AFTER = 10
"""Measured steps after a command that make the figure."""
WARM_UP = 2
"""Steps after a command that are not counted."""
RECOMPILING_WARM_UP = 5
"""The same where the command makes ``torch.compile`` begin anew."""
PATIENCE = 100
"""Steps after a command without a figure after which it is given up: few have a backward."""

LEAST_CHANGE = 0.02
"""The share of the backward below which a change is none."""
STANDARD_ERRORS = 3.0
"""How many standard errors the medians must be apart for a change."""
_ERROR_OF_MEDIAN = 1.2533 / 1.349
"""The standard error of a median is this times the interquartile range by the root of the count:
1.2533 σ / √n of normal noise, whose interquartile range is 1.349 σ."""

GOLDEN_RATIO = (1 + sqrt(5)) / 2

Key = TypeVar("Key", bound=Hashable)


class Measured(Protocol):
    """The backward of a step: see :class:`gradgate.probe.measure.backward_timer.BackwardTiming`."""

    @property
    def step(self) -> int:
        """The step that it belongs to."""

    @property
    def seconds(self) -> float:
        """What it took."""

    @property
    def memory(self) -> int | None:
        """Bytes allocated on the accelerator when it began."""


@dataclass(frozen=True)
class Saved:
    """What a command saved; every figure but ``gradient_bytes`` is a median of steps."""

    backward_before: float
    """Seconds a step."""
    backward_after: float
    steps: int
    """How many steps were measured on each side, at least."""
    gradient_bytes: int
    """Bytes of gradients that are not made any more; negative for a thaw."""
    memory_before: int | None
    """Bytes allocated on the accelerator when backward began."""
    memory_after: int | None
    spread_before: float
    """Seconds between the quarters of the steps' backwards: their interquartile range."""
    spread_after: float
    measurable: bool
    """Does the backward differ by more than its spread from step to step?"""

    def as_message(self) -> dict[str, Any]:
        """Return what was saved as the wire protocol has it."""
        return asdict(self)


@dataclass
class _Open(Generic[Key]):
    """A command whose effect is being measured."""

    key: Key
    step: int
    gradient_bytes: int
    before: list[Measured]
    after: list[Measured]


class Savings(Generic[Key]):
    """Compares the steps before a command with those after it.

    A command has no figure, rather than a wrong one, when fewer than five steps were
    measured since the command before it (or since attach), when another command comes
    before ten steps after it were measured, so also when several take effect at one step,
    and when a hundred steps do not bring ten figures. The steps of a command's warm-up
    count neither for it nor as the next one's before.
    """

    def __init__(self) -> None:
        self._window: deque[Measured] = deque(maxlen=WINDOW)
        self._open: _Open[Key] | None = None
        self._rests_until = 0
        """The last step that need not be measured."""
        self._settled = 0
        """The first step whose figures show the latest command's effect alone."""

    def begin(self, key: Key, step: int, gradient_bytes: int, *, recompiles: bool = False) -> None:
        """Note that a command took effect at the end of ``step``.

        ``gradient_bytes``: what it frees; negative for a thaw.
        """
        # On a device figures come late: some of the steps before may still be on their way,
        # and belong to no command's before or after.
        before = [measured for measured in self._window if measured.step <= step]
        self._window.clear()
        self._settled = step + 1 + (RECOMPILING_WARM_UP if recompiles else WARM_UP)
        self._open = None
        if len(before) >= FEWEST_BEFORE:
            self._open = _Open(key, step, gradient_bytes, before, [])

    def wants(self, step: int) -> bool:
        """Return whether ``step``, the coming one, is to be measured.

        While there are enough of before, and no command has to be compared with them, that is one
        step in six or, of short ones, in up to forty, more or less: of all kinds as often as they
        are, also where every second step is another than the first, for the multiples of an
        irrational number are spread evenly.
        """
        return len(self._window) < WINDOW or step > self._rests_until  # as behind each command

    def add(self, measured: Measured) -> tuple[Key, Saved] | None:
        """Take in a step's figure; return a command and what it saved when that is known."""
        if measured.step < self._settled:
            return None
        self._window.append(measured)
        self._rests_until = measured.step + _between(measured)
        if self._open is None:
            self._drop_outdated()
            return None
        self._open.after.append(measured)
        done = self._open
        if len(done.after) >= MEASURED_AFTER:
            self._open = None
            return done.key, _compare(done)
        if measured.step - done.step >= PATIENCE:
            self._open = None
        return None

    def _drop_outdated(self) -> None:
        """Keep the latest alone where the script itself has changed what a backward takes.

        As by a freeze of its own: a command would be credited with that, since what is kept of
        before goes far back.
        """
        if len(self._window) < WINDOW:
            return
        seconds = [measured.seconds for measured in self._window]
        before, latest = seconds[:-CHANGED], seconds[-CHANGED:]
        if max(latest) < min(before) or min(latest) > max(before):
            self._window = deque(list(self._window)[-CHANGED:], maxlen=WINDOW)


def _between(measured: Measured) -> int:
    """Return how many steps need not be measured behind one that was."""
    shortest = BETWEEN / MOST_BETWEEN
    usual = max(FEWEST_BETWEEN, BETWEEN / max(measured.seconds, shortest))
    return int(usual * (0.5 + measured.step * GOLDEN_RATIO % 1.0))


@dataclass(frozen=True)
class _Backwards:
    """The backwards of some steps: their quarters, in seconds, and how many they are."""

    low: float
    middle: float
    high: float
    count: int

    @classmethod
    def of(cls, steps: Sequence[Measured]) -> _Backwards:
        """Summarise steps, of which there are at least two."""
        seconds = [measured.seconds for measured in steps]
        low, _, high = quantiles(seconds, n=4, method="inclusive")
        return cls(low, median(seconds), high, len(seconds))

    @property
    def spread(self) -> float:
        """Their interquartile range."""
        return self.high - self.low

    @property
    def error(self) -> float:
        """The standard error of their median."""
        return _ERROR_OF_MEDIAN * self.spread / sqrt(self.count)


def _differ(before: _Backwards, after: _Backwards) -> bool:
    """Return whether two medians differ by more than the noise of their steps.

    Their middle halves are apart and so are the medians, by some standard errors: of equal,
    noisy steps fewer than one pair in fifty is taken for a change from twenty steps on.
    """
    change = abs(after.middle - before.middle)
    return (
        change >= LEAST_CHANGE * before.middle
        and change > STANDARD_ERRORS * hypot(before.error, after.error)
        and (after.high < before.low or before.high < after.low)
    )


def _compare(done: _Open[Any]) -> Saved:
    before, after = _Backwards.of(done.before), _Backwards.of(done.after)
    return Saved(
        backward_before=before.middle,
        backward_after=after.middle,
        steps=min(len(done.before), len(done.after)),
        gradient_bytes=done.gradient_bytes,
        memory_before=_memory(done.before),
        memory_after=_memory(done.after),
        spread_before=before.spread,
        spread_after=after.spread,
        measurable=_differ(before, after),
    )


def _memory(steps: Sequence[Measured]) -> int | None:
    known = [measured.memory for measured in steps if measured.memory is not None]
    return median_low(known) if len(known) == len(steps) else None
