"""Metrics as rows of an answer."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence

from sqlalchemy import Connection

from ...protocol import limits
from ...protocol.history import MetricRow, MetricRows
from ..refusals import BadRange, TooManyPoints, UnknownMetric
from ..runs import run_record
from ..step_range import StepRange
from .buckets import Buckets, Floats
from .ranges import metric_buckets
from .values import metric_names


def metric_rows(
    connection: Connection, run: str, names: Sequence[str], steps: StepRange, points: int
) -> MetricRows:
    """Return a range of some metrics of a run, or of all, each in at most `points` buckets.

    Raises `UnknownRun`, `UnknownMetric`, `TooManyPoints`, and `BadRange` for one without a value.
    """
    run_record(connection, run)
    known = metric_names(connection, run)
    for name in names:
        if name not in known:
            raise UnknownMetric(_unknown(run, name, known))
    wanted = list(dict.fromkeys(names)) or known
    if len(wanted) * points > limits.METRIC_POINTS:
        raise TooManyPoints(
            f"{len(wanted):,} metrics of {points:,} points are more than the "
            f"{limits.METRIC_POINTS:,} of one answer: ask for fewer points, or for some metrics "
            "by their `name`."
        )
    found = {name: metric_buckets(connection, run, name, steps, points) for name in wanted}
    if wanted and not any(map(len, found.values())):
        raise BadRange(
            f"Nothing was logged in run {run!r} from step {steps.first} to step {steps.last}: "
            "leave `from` and `to` out for all that there is."
        )
    rows = {name: _row(buckets) for name, buckets in found.items()}
    return MetricRows(metrics=rows, names=known)


def _row(buckets: Buckets) -> MetricRow:
    return MetricRow(
        first_steps=buckets.low_step.tolist(),
        steps=buckets.last_step.tolist(),
        values=_plain(buckets.last),
        min=_plain(buckets.low),
        max=_plain(buckets.high),
        count=buckets.count.tolist(),
        nan=buckets.nan.tolist(),
        posinf=buckets.posinf.tolist(),
        neginf=buckets.neginf.tolist(),
    )


def _plain(values: Floats) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in values.tolist()]


def _unknown(run: str, name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, 3)
    hint = f"did you mean {', '.join(map(repr, near))}?" if near else "none has a name like it."
    return f"Run {run!r} has no metric {name!r}: {hint}"
