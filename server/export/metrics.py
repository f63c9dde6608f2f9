"""The table of metrics: a row a value that was logged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from sqlalchemy import select, tuple_

from ..store.database import Store
from ..store.tables import metrics
from .columns import Batch, Coded, Column, Kind
from .selection import Selection

COLUMNS = (
    Column("name", Kind.WORD),
    Column("step", Kind.INTEGER),
    Column("time", Kind.REAL),
    Column("value", Kind.REAL),
)
_ROWS = 100_000
"""Rows of a batch."""
# A frame may hold values of several steps.
_PLACE = tuple_(metrics.c.seq, metrics.c.step)


def metric_batches(store: Store, chosen: Selection) -> Iterator[Batch]:
    """Read the metrics by name, and each in the order in which it was logged."""
    for name in metric_names(store, chosen):
        for rows in metric_values(store, chosen, name):
            yield [
                Coded(np.zeros(len(rows), np.int32), [name]),
                [row.step for row in rows],
                [row.time for row in rows],
                [row.value for row in rows],
            ]


def metric_names(store: Store, chosen: Selection) -> list[str]:
    """Return the names of a run's metrics."""
    query = select(metrics.c.name).where(metrics.c.run == chosen.run).distinct()
    with store.read() as connection:
        return list(connection.scalars(query.order_by(metrics.c.name)))


def metric_values(store: Store, chosen: Selection, name: str) -> Iterator[list[Any]]:
    """Yield the values of one metric, some at a time, as rows of step, time and value."""
    last = (0, 0)
    while True:
        query = (
            select(metrics.c.seq, metrics.c.step, metrics.c.time, metrics.c.value)
            .where(metrics.c.run == chosen.run, metrics.c.name == name, last < _PLACE)
            .order_by(metrics.c.seq, metrics.c.step)
            .limit(_ROWS)
        )
        with store.read() as connection:
            found = connection.execute(query).all()
        rows = [row for row in found if chosen.has_step(row.step)]
        if rows:
            yield rows
        if len(found) < _ROWS:
            return
        last = (found[-1].seq, found[-1].step)
