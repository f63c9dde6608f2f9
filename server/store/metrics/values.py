"""The values of metrics: appended as they are logged, and read as they were."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    Table,
    and_,
    func,
    insert,
    or_,
    select,
)

from ...protocol.probe_messages import Metrics
from ...protocol.totals import TOTAL_GRAD_NORM, Totals
from ..tables import metric_blocks, metrics
from .packing import Values, unpack_values
from .sizes import BLOCK, BLOCK_LEVEL

_ROWS = 65_536
"""Rows of a stretch."""


def append_metrics(connection: Connection, run: str, frames: Sequence[Metrics | Totals]) -> None:
    """Append what was logged, and total norms; a NaN is stored as null."""
    rows: list[dict[str, Any]] = [
        {
            "run": run,
            "name": name,
            "seq": frame.seq,
            "step": step,
            "time": frame.time,
            "value": None if math.isnan(value) else value,
        }
        for frame in frames
        for name, step, value in _logged(frame)
    ]
    if rows:
        connection.execute(insert(metrics), rows)


def metric_names(connection: Connection, run: str) -> list[str]:
    """Return the names of a run's metrics, in order; each is looked up, and no value read.

    A metric that was logged has rows, since the newest of its values always are.
    """
    of_run = metrics.c.run == run
    least = select(func.min(metrics.c.name)).where(of_run)
    names = least.cte("names", recursive=True)
    name = names.c[0]
    after = least.where(metrics.c.name > name).correlate(names).scalar_subquery()
    found = names.union_all(select(after).where(name.is_not(None)))
    known = select(found.c[0]).where(found.c[0].is_not(None))
    return list(connection.scalars(known))


def next_values(connection: Connection, run: str, name: str, number: int) -> tuple[int, Values]:
    """Return values of a metric from a number on, and the number behind the last of them.

    They are counted since the metric was first logged; values that are no longer kept are passed
    over. There are none where there is nothing more.
    """
    block = connection.execute(
        select(metric_blocks.c.first, metric_blocks.c.data)
        .where(
            of_metric(metric_blocks, run, name),
            metric_blocks.c.level == BLOCK_LEVEL,
            metric_blocks.c.first > number - BLOCK,
        )
        .order_by(metric_blocks.c.first)
        .limit(1)
    ).one_or_none()
    if block is not None:
        begun = max(0, number - block.first)
        return block.first + BLOCK, unpack_values(block.data).chosen(slice(begun, None))
    end = merged_end(connection, run, name)
    query = rows_of(run, name).offset(max(0, number - end)).limit(_ROWS)
    rows = connection.execute(query).all()
    return max(number, end) + len(rows), row_values(rows)


def values_between(
    connection: Connection, run: str, name: str, first_step: int, last_step: int
) -> Values:
    """Return the values of a metric between two steps, both included, that are kept."""
    blocks = (
        select(metric_blocks.c.data)
        .where(
            of_metric(metric_blocks, run, name),
            metric_blocks.c.level == BLOCK_LEVEL,
            metric_blocks.c.high_step >= first_step,
            metric_blocks.c.low_step <= last_step,
        )
        .order_by(metric_blocks.c.first)
    )
    rows = rows_of(run, name).where(metrics.c.step.between(first_step, last_step))
    parts = [unpack_values(data) for data in connection.scalars(blocks)]
    whole = _joined([*parts, row_values(connection.execute(rows).all())])
    later = whole.chosen(whole.steps >= first_step)
    return later.chosen(later.steps <= last_step)


def read_metric_before(
    connection: Connection, run: str, names: Sequence[str], steps: NDArray[np.int64], rows: int
) -> tuple[list[float | None], int]:
    """Return the latest value of any of `names` at or before each of `steps`, which rise.

    At most about `rows` values are read, the latest first; the second answer is the first of
    `steps` that they reach back to. A value that is not finite is None.
    """
    latest = _joined([_latest(connection, run, name, int(steps[0]), rows) for name in names])
    # As they were logged, whatever their names.
    read = latest.chosen(np.lexsort((latest.steps, latest.seqs))[-rows:])
    before = np.flatnonzero(read.steps <= steps[0])
    if len(before):
        read = read.chosen(slice(before[-1], None))
    order = np.argsort(read.steps, kind="stable")
    places = np.searchsorted(read.steps[order], steps, side="right") - 1
    numbers = [_finite(value) for value in read.values[order].tolist()]
    values = [None if place < 0 else numbers[place] for place in places.tolist()]
    whole = len(read) < rows
    return values, 0 if whole else int(np.searchsorted(steps, read.steps[order[0]]))


def merged_end(connection: Connection, run: str, name: str) -> int:
    """Return how many values of a metric have been merged into blocks, kept or not."""
    # The tile above a block is made with it, and stays.
    query = select(func.max(metric_blocks.c.first)).where(
        of_metric(metric_blocks, run, name), metric_blocks.c.level == BLOCK_LEVEL + 1
    )
    first = connection.scalar(query)
    return 0 if first is None else int(first) + BLOCK


def of_metric(table: Table, run: str, name: str) -> ColumnElement[bool]:
    """Return the condition that a row is of a metric."""
    return and_(table.c.run == run, table.c.name == name)


def rows_of(run: str, name: str) -> Select[Any]:
    """Return the query of the values of a metric that are rows, in the order of their coming."""
    return _rows_of(run, name).order_by(*logged_order())


def logged_order() -> tuple[ColumnElement[int], ColumnElement[int]]:
    """Return the columns that a metric's values are ordered by as they were logged."""
    return metrics.c.seq, metrics.c.step


def not_behind(seq: int, step: int) -> ColumnElement[bool]:
    """Return the condition that a value was logged no later than another."""
    same = and_(metrics.c.seq == seq, metrics.c.step <= step)
    return and_(metrics.c.seq <= seq, or_(metrics.c.seq < seq, same))


def row_values(rows: Sequence[Row[Any]]) -> Values:
    """Return what is in rows of `rows_of`; null is NaN."""
    seqs, steps, times, values = zip(*rows, strict=True) if rows else ((), (), (), ())
    return Values(
        np.array(seqs, np.int64),
        np.array(steps, np.int64),
        np.array(times, np.float64),
        np.array(values, np.float64),
    )


def _rows_of(run: str, name: str) -> Select[Any]:
    columns = metrics.c
    query = select(columns.seq, columns.step, columns.time, columns.value)
    return query.where(of_metric(metrics, run, name))


def _latest(connection: Connection, run: str, name: str, step: int, limit: int) -> Values:
    """Return the latest values, back to one at or before a step, or until there are enough."""
    backwards = _rows_of(run, name).order_by(*(column.desc() for column in logged_order()))
    backwards = backwards.limit(limit)
    parts = [row_values(connection.execute(backwards).all()[::-1])]
    blocks = (
        select(metric_blocks.c.data)
        .where(of_metric(metric_blocks, run, name), metric_blocks.c.level == BLOCK_LEVEL)
        .order_by(metric_blocks.c.first.desc())
    )
    with connection.execute(blocks) as found:
        for block in found:
            if sum(map(len, parts)) >= limit or any((each.steps <= step).any() for each in parts):
                break
            parts.append(unpack_values(block.data))
    return _joined(parts[::-1])


def _joined(parts: Sequence[Values]) -> Values:
    return Values(
        np.concatenate([np.empty(0, np.int64), *(part.seqs for part in parts)]),
        np.concatenate([np.empty(0, np.int64), *(part.steps for part in parts)]),
        np.concatenate([np.empty(0, np.float64), *(part.times for part in parts)]),
        np.concatenate([np.empty(0, np.float64), *(part.values for part in parts)]),
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _logged(frame: Metrics | Totals) -> Iterator[tuple[str, int, float]]:
    """Yield the name, the step and the value of each that a frame holds."""
    if isinstance(frame, Totals):
        for step, norm in frame.points():
            yield TOTAL_GRAD_NORM, step, math.nan if norm is None else norm
    else:
        for name, value in frame.numbers():
            yield name, frame.step, value
