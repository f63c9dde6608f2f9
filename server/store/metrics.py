"""Metrics in the store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, insert, select

from ..protocol.probe_messages import Metrics
from ..protocol.totals import TOTAL_GRAD_NORM, Totals
from .tables import metrics


def append_metrics(connection: Connection, run: str, frames: Sequence[Metrics | Totals]) -> None:
    """Append what was logged, and total norms; a number that is not finite is stored as null."""
    rows: list[dict[str, Any]] = [
        {
            "run": run,
            "name": name,
            "seq": frame.seq,
            "step": step,
            "time": frame.time,
            "value": value if value is not None and np.isfinite(value) else None,
        }
        for frame in frames
        for name, step, value in _values(frame)
    ]
    if rows:
        connection.execute(insert(metrics), rows)


def read_metric_before(
    connection: Connection, run: str, names: Sequence[str], steps: NDArray[np.int64], rows: int
) -> tuple[list[float | None], int]:
    """Return the latest value of any of `names` at or before each of `steps`, which rise.

    At most about `rows` values are read, the latest first; the second answer is the first of
    `steps` that they reach back to.
    """
    query = (
        select(metrics.c.step, metrics.c.value)
        .where(metrics.c.run == run, metrics.c.name.in_(names))
        .order_by(metrics.c.seq.desc(), metrics.c.step.desc())
        .limit(rows)
    )
    read: list[tuple[int, float | None]] = []
    with connection.execute(query) as found:
        for row in found:
            read.append((row.step, row.value))
            if row.step <= steps[0]:
                break
    read.reverse()
    logged = np.array([step for step, _ in read], np.int64)
    order = np.argsort(logged, kind="stable")
    places = np.searchsorted(logged[order], steps, side="right") - 1
    values = [None if place < 0 else read[order[place]][1] for place in places.tolist()]
    whole = len(read) < rows
    return values, 0 if whole else int(np.searchsorted(steps, logged[order[0]]))


def read_metrics(
    connection: Connection, run: str, limit: int
) -> dict[str, tuple[list[int], list[float | None]]]:
    """Return the latest `limit` values of every metric, as steps and values."""
    names = connection.scalars(
        select(metrics.c.name).where(metrics.c.run == run).distinct().order_by(metrics.c.name)
    ).all()
    found: dict[str, tuple[list[int], list[float | None]]] = {}
    for name in names:
        query = (
            select(metrics.c.step, metrics.c.value)
            .where(metrics.c.run == run, metrics.c.name == name)
            .order_by(metrics.c.seq.desc(), metrics.c.step.desc())
            .limit(limit)
        )
        rows = connection.execute(query).all()[::-1]
        found[name] = ([row.step for row in rows], [row.value for row in rows])
    return found


def _values(frame: Metrics | Totals) -> Iterator[tuple[str, int, float | None]]:
    """Yield the name, the step and the value of each that a frame holds."""
    if isinstance(frame, Totals):
        for step, norm in frame.points():
            yield TOTAL_GRAD_NORM, step, norm
    else:
        for name, value in frame.values.items():
            yield name, frame.step, value
