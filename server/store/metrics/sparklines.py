"""The course of one metric of each of several runs, as a list of runs draws it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, select

from ...protocol.history import MetricSparkline
from ..step_range import StepRange
from ..tables import runs
from .ranges import metric_buckets
from .values import metric_names


def metric_sparklines(
    connection: Connection, wanted: Iterable[str], points: int
) -> dict[str, MetricSparkline]:
    """Return by run the last values of at most `points` buckets of the metric that tells most.

    That is the first whose name says loss, else the first. Runs that have no metric, or are not
    there, are left out.
    """
    there = set(connection.scalars(select(runs.c.id).where(runs.c.id.in_(list(wanted)))))
    found = {}
    for run in sorted(there):
        name = _telling(metric_names(connection, run))
        if name is not None:
            buckets = metric_buckets(connection, run, name, StepRange(), points)
            values = [value if math.isfinite(value) else None for value in buckets.last.tolist()]
            found[run] = MetricSparkline(metric=name, values=values)
    return found


def _telling(names: Sequence[str]) -> str | None:
    losses = [name for name in names if "loss" in name.lower()]
    return next(iter(losses or names), None)
