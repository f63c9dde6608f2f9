"""The history of parameters and metrics, as rows."""

from __future__ import annotations

from .models import Row


class SeriesRow(Row):
    """One parameter's history in at most `points` buckets."""

    parameter: str
    stat: str
    steps: list[int]
    values: list[float | None]
    min: list[float | None]
    max: list[float | None]
    states: list[str]
    samples: int


class SeriesError(Row):
    """Takes the place of a series that there is not."""

    parameter: str
    error: str


class MetricRow(Row):
    """One metric's history."""

    steps: list[int]
    values: list[float | None]


class SeriesRows(Row):
    """Answer of `GET /api/runs/{run}/series` for several parameters."""

    series: list[SeriesRow | SeriesError]


class Sparklines(Row):
    """The last samples of `grad_norm`, and of the states as codes, of every parameter."""

    steps: list[int]
    rows: list[list[float | None]]
    states: list[list[int]]


class MetricRows(Row):
    """Answer of `GET /api/runs/{run}/metrics`."""

    metrics: dict[str, MetricRow]
