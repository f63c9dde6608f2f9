"""The routes of histories: series, sparklines and metrics."""

from __future__ import annotations

import json
from typing import Annotated, Literal

from fastapi import Query, Response

from ...protocol import limits
from ...protocol.fields import Name, ParameterName
from ...protocol.history import (
    MetricRows,
    MetricSparklines,
    SampleTimes,
    SeriesRow,
    SeriesRows,
)
from ...store.buckets import plain
from ...store.metrics.rows import metric_rows
from ...store.metrics.sparklines import metric_sparklines
from ...store.runs import run_record
from ...store.sample_times import sample_times
from ...store.samples import read_recent
from ...store.series import series_rows
from ...store.step_range import step_range
from ..dependencies import ReadRunOf, StoreOf
from ..packed import Packed, in_columns, in_json, packed_sparklines

Step = Annotated[int | None, Query(ge=0, le=limits.NUMBER)]


def get_series(
    run: ReadRunOf,
    store: StoreOf,
    parameter: Annotated[list[ParameterName], Query(min_length=1, max_length=100)],
    stat: Literal["grad_norm", "grad_max", "update_ratio", "weight_norm"] = "grad_norm",
    first_step: Annotated[Step, Query(alias="from")] = None,
    last_step: Annotated[Step, Query(alias="to")] = None,
    points: Annotated[int, Query(ge=1, le=10_000)] = 600,
) -> SeriesRow | SeriesRows:
    """The history of one parameter, or of several, in at most `points` buckets."""
    with store.read() as connection:
        rows = series_rows(connection, run, parameter, stat, first_step, last_step, points)
    first = rows[0]
    return first if len(rows) == 1 and isinstance(first, SeriesRow) else SeriesRows(series=rows)


def get_sparklines(
    run: ReadRunOf,
    store: StoreOf,
    packed: Packed,
    points: Annotated[int, Query(ge=1, le=200)] = 60,
) -> Response:
    """The last samples of every parameter in table order: `grad_norm`, and codes of the states.

    In JSON, or packed in columns.
    """
    with store.read() as connection:
        record = run_record(connection, run)
        count = record.parameters + record.removed
        recent = read_recent(connection, run, count, points)
    if packed:
        return in_columns(packed_sparklines(recent))
    length = len(recent.steps)
    numbers = plain(recent.values.T.ravel())
    starts = range(0, count * length, length) if length else [0] * count
    # Row by row, since one call for a million numbers would keep every other thread waiting.
    rows = ",".join(json.dumps(numbers[start : start + length]) for start in starts)
    states = ",".join(json.dumps(codes) for codes in recent.states.T.tolist())
    text = f'{{"steps":{json.dumps(recent.steps)},"rows":[{rows}],"states":[{states}]}}'
    return in_json(text)


def get_metrics(
    run: ReadRunOf,
    store: StoreOf,
    name: Annotated[list[Name], Query(max_length=limits.METRICS)] = [],  # noqa: B006 - it is copied
    first_step: Annotated[Step, Query(alias="from")] = None,
    last_step: Annotated[Step, Query(alias="to")] = None,
    points: Annotated[int, Query(ge=1, le=10_000)] = 600,
) -> MetricRows:
    """What was logged between two steps, or in the whole run: all metrics, or those of `name`."""
    with store.read() as connection:
        return metric_rows(connection, run, name, step_range(first_step, last_step), points)


def get_metric_sparklines(
    store: StoreOf,
    run: Annotated[list[Name], Query(min_length=1, max_length=100)],
    points: Annotated[int, Query(ge=2, le=200)] = 60,
) -> MetricSparklines:
    """The course of one metric of each run: the first that says loss, else the first by name."""
    with store.read() as connection:
        return MetricSparklines(sparklines=metric_sparklines(connection, run, points))


def get_times(
    run: ReadRunOf,
    store: StoreOf,
    first_step: Annotated[Step, Query(alias="from")] = None,
    last_step: Annotated[Step, Query(alias="to")] = None,
    points: Annotated[int, Query(ge=2, le=10_000)] = 300,
) -> SampleTimes:
    """When samples between two steps were taken: about `points` of them, the ends included."""
    with store.read() as connection:
        return sample_times(connection, run, first_step, last_step, points)
