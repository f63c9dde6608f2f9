"""What was logged and still has to be sent: the latest of it, within bounds."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping

from ..protocol.browser_messages import MetricPoint
from ..protocol.fields import nonfinite_word
from ..protocol.probe_messages import Metrics
from ..protocol.totals import TOTAL_GRAD_NORM, Totals

POINTS = 1000
VALUES = 100_000


class Points:
    """Points in order of their arrival; the oldest make room, and `complete` says whether any did.

    At most `POINTS`, and at most `VALUES` values among them unless the latest alone has more.
    """

    def __init__(self) -> None:
        self._points: deque[MetricPoint] = deque()
        self._values = 0
        self.complete = True

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._points)

    def log(self, metrics: Metrics) -> None:
        """Add what was logged."""
        self._add(metric_point(metrics.step, dict(metrics.numbers())))

    def log_totals(self, totals: Totals) -> None:
        """Add total norms, a point for each step."""
        for step, norm in totals.points():
            number = math.nan if norm is None else norm
            self._add(metric_point(step, {TOTAL_GRAD_NORM: number}))

    def extend(self, later: Points) -> None:
        """Add points that came later."""
        if not later.complete:
            # What `later` left out came after every point here: a gap is no place to draw through.
            self._points.clear()
            self._values = 0
            self.complete = False
        for point in later._points:
            self._add(point)

    def listed(self) -> list[MetricPoint]:
        """Return the points, oldest first."""
        return list(self._points)

    def _add(self, point: MetricPoint) -> None:
        self._points.append(point)
        self._values += len(point.values)
        while len(self._points) > POINTS or (self._values > VALUES and len(self._points) > 1):
            self._values -= len(self._points.popleft().values)
            self.complete = False


def metric_point(step: int, numbers: Mapping[str, float]) -> MetricPoint:
    """Return what was logged at a step, as a page is told of it."""
    return MetricPoint(
        step=step,
        values={
            name: number if math.isfinite(number) else None for name, number in numbers.items()
        },
        nonfinite={
            name: nonfinite_word(number)
            for name, number in numbers.items()
            if not math.isfinite(number)
        },
    )
