"""The table of metrics: a row a value that was logged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..store.database import Store
from ..store.metrics import values as stored
from ..store.metrics.packing import Values
from .columns import Batch, Coded, Column, Kind, Numbers
from .selection import Selection

COLUMNS = (
    Column("name", Kind.WORD),
    Column("step", Kind.INTEGER),
    Column("time", Kind.REAL),
    Column("value", Kind.REAL),
)


def metric_batches(store: Store, chosen: Selection) -> Iterator[Batch]:
    """Read the metrics by name, and each in the order in which it was logged."""
    for name in metric_names(store, chosen):
        for values in metric_values(store, chosen, name):
            yield [
                Coded(np.zeros(len(values), np.int32), [name]),
                _numbers(values.steps),
                _numbers(values.times),
                _numbers(values.values),
            ]


def metric_names(store: Store, chosen: Selection) -> list[str]:
    """Return the names of a run's metrics."""
    with store.read() as connection:
        return stored.metric_names(connection, chosen.run)


def metric_values(store: Store, chosen: Selection, name: str) -> Iterator[Values]:
    """Yield the values of one metric, some at a time, each read in a transaction of its own."""
    number = 0
    while True:
        with store.read() as connection:
            number, values = stored.next_values(connection, chosen.run, name, number)
        if not len(values):
            return
        kept = values.chosen(
            np.fromiter(map(chosen.has_step, values.steps.tolist()), bool, len(values))
        )
        if len(kept):
            yield kept


def _numbers(values: NDArray[Any]) -> Numbers:
    return Numbers(values, np.zeros(len(values), bool))
