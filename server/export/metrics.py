"""The table of metrics: a row a value that was logged."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from sqlalchemy import select

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


def metric_batches(store: Store, chosen: Selection) -> Iterator[Batch]:
    """Read the metrics by name, and each in the order in which it was logged."""
    of_run = metrics.c.run == chosen.run
    with store.read() as connection:
        query = select(metrics.c.name).where(of_run).distinct().order_by(metrics.c.name)
        names = list(connection.scalars(query))
    for name in names:
        yield from _values(store, chosen, name)


def _values(store: Store, chosen: Selection, name: str) -> Iterator[Batch]:
    seq = 0
    while True:
        query = (
            select(metrics.c.seq, metrics.c.step, metrics.c.time, metrics.c.value)
            .where(metrics.c.run == chosen.run, metrics.c.name == name, metrics.c.seq > seq)
            .order_by(metrics.c.seq)
            .limit(_ROWS)
        )
        with store.read() as connection:
            found = connection.execute(query).all()
        rows = [row for row in found if chosen.has_step(row.step)]
        if rows:
            yield [
                Coded(np.zeros(len(rows), np.int32), [name]),
                [row.step for row in rows],
                [row.time for row in rows],
                [row.value for row in rows],
            ]
        if len(found) < _ROWS:
            return
        seq = found[-1].seq
