"""Metrics as small charts: the last value of each bucket, in the band of all its values."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ...store.database import Store
from ...store.metrics.buckets import Buckets
from ...store.metrics.ranges import metric_buckets
from ...store.step_range import step_range
from ..metrics import metric_names
from ..selection import Selection
from .axis import round_ticks
from .heatmap import Place
from .words import count, number, visible

WIDTH, HEIGHT = 380, 150
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 10, 20
CHARTS = 24
"""Metrics that are drawn, at most."""
_POINTS = 320
_MOST = 1e300
"""As what a greater value is drawn: the difference of the greatest ones is no number."""


@dataclass(frozen=True, slots=True)
class Chart:
    """One metric; paths and places are in pixels."""

    name: str
    latest: str
    title: str
    band: str
    line: str
    points: list[tuple[float, float]]
    """Values that have no neighbour to be joined with."""
    across: list[Place]
    up: list[Place]
    steps: tuple[float, float]

    def has(self, step: float) -> bool:
        """Return whether a step is on the axis."""
        return self.steps[0] <= step <= self.steps[1]

    def x(self, step: float) -> float:
        """Return where a step is."""
        return _along(step, self.steps, LEFT, WIDTH - RIGHT)


@dataclass(frozen=True, slots=True)
class Charts:
    """The first metrics in the order of their names, and how many more there are."""

    charts: list[Chart]
    more: int


def draw_metrics(store: Store, chosen: Selection) -> Charts:
    """Draw the metrics of a selection."""
    names = metric_names(store, chosen)
    drawn = [chart for name in names[:CHARTS] if (chart := _chart(store, chosen, name))]
    return Charts(drawn, max(0, len(names) - CHARTS))


def _chart(store: Store, chosen: Selection, name: str) -> Chart | None:
    steps = step_range(chosen.first_step, chosen.last_step)
    with store.read() as connection:
        found = metric_buckets(connection, chosen.run, name, steps, _POINTS)
    if not len(found):
        return None
    latest = number(float(found.last[-1]))
    title = f"{visible(name)}: {count(int(found.count.sum()), 'value')}, the latest {latest}"
    if np.isnan(found.low).all():
        return Chart(visible(name), latest, title, "", "", [], [], [], (0, 1))
    # In the order of the steps: a job that went back to a checkpoint logs some again.
    ordered = found.chosen(np.argsort(found.last_step, kind="stable"))
    return _drawn(visible(name), latest, title, ordered)


def _drawn(name: str, latest: str, title: str, buckets: Buckets) -> Chart:
    first, last = float(buckets.low_step.min()), float(buckets.high_step.max())
    span = (first, max(last, first + 1))
    low, high = _drawable(float(np.nanmin(buckets.low))), _drawable(float(np.nanmax(buckets.high)))
    margin = (high - low) * 0.05 or abs(high) * 0.05 or 1.0
    bounds = (low - margin, high + margin)

    def x(step: float) -> float:
        return _along(step, span, LEFT, WIDTH - RIGHT)

    def y(value: float) -> float:
        return _along(_drawable(value), bounds, HEIGHT - BOTTOM, TOP)

    band: list[str] = []
    line: list[str] = []
    points: list[tuple[float, float]] = []
    for part in _without_gaps(buckets):
        lows = [f"{x(step)} {y(least)}" for step, _, least, _ in part]
        highs = [f"{x(step)} {y(most)}" for step, _, _, most in part]
        band.append("M" + "L".join([*highs, *reversed(lows)]) + "z")
        line.append("M" + "L".join(f"{x(step)} {y(value)}" for step, value, _, _ in part))
        if len(part) == 1:
            points.append((x(part[0][0]), y(part[0][1])))
    return Chart(
        name,
        latest,
        title,
        "".join(band),
        "".join(line),
        points,
        [Place(x(each), f"{each:,.0f}") for each in round_ticks(*span, 4) if each == int(each)],
        [Place(y(each), number(each)) for each in round_ticks(*bounds, 4)],
        span,
    )


def _without_gaps(buckets: Buckets) -> Iterable[list[tuple[int, float, float, float]]]:
    """Yield the stretches of buckets that have finite values: step, last value, lowest, highest."""
    part: list[tuple[int, float, float, float]] = []
    for step, value, low, high in zip(
        buckets.last_step.tolist(),
        np.where(np.isfinite(buckets.last), buckets.last, buckets.high).tolist(),
        buckets.low.tolist(),
        buckets.high.tolist(),
        strict=True,
    ):
        if not math.isnan(low):
            part.append((step, value, low, high))
        elif part:
            yield part
            part = []
    if part:
        yield part


def _drawable(value: float) -> float:
    return min(max(value, -_MOST), _MOST)


def _along(value: float, span: tuple[float, float], start: float, end: float) -> float:
    return round(start + (end - start) * (value - span[0]) / (span[1] - span[0]), 1)
