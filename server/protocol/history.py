"""The history of parameters and metrics, as rows."""

from __future__ import annotations

from .models import Row


class SeriesRow(Row):
    """One parameter's history in at most `points` buckets."""

    parameter: str
    stat: str
    first_steps: list[int]
    steps: list[int]
    """The first and the last step of each bucket."""
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
    """A range of a metric in buckets, of one value each where there is room for all."""

    first_steps: list[int]
    """The first step of each bucket."""
    steps: list[int]
    """The step of the last value of each bucket."""
    values: list[float | None]
    """The last value; None for one that is not finite, which `nan`, `posinf` or `neginf` counts."""
    min: list[float | None]
    max: list[float | None]
    """The lowest and the highest finite value; None where there is none."""
    count: list[int]
    nan: list[int]
    posinf: list[int]
    neginf: list[int]
    """How many of `count` values are NaN, and how many are infinite."""


class SeriesRows(Row):
    """Answer of `GET /api/runs/{run}/series` for several parameters."""

    series: list[SeriesRow | SeriesError]


class SampleTimes(Row):
    """Answer of `GET /api/runs/{run}/times`: when samples were taken; steps grow."""

    steps: list[int]
    times: list[float]
    """In seconds since 1970, by the clock of the job's machine, which may have been set back."""


class Sparklines(Row):
    """The last samples of `grad_norm`, and of the states as codes, of every parameter."""

    steps: list[int]
    rows: list[list[float | None]]
    states: list[list[int]]


class MetricRows(Row):
    """Answer of `GET /api/runs/{run}/metrics`."""

    metrics: dict[str, MetricRow]
    names: list[str]
    """Every metric that was logged, whichever were asked for."""


class MetricSparkline(Row):
    """The course of one metric of a run, oldest first; None where a value is not finite."""

    metric: str
    values: list[float | None]


class MetricSparklines(Row):
    """Answer of `GET /api/sparklines`, by run; those without a metric are left out."""

    sparklines: dict[str, MetricSparkline]
