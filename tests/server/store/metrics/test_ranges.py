"""Ranges of a metric: every value in one bucket, at every zoom, from whatever level is read."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import Connection, delete, event

from gradgate.server.store.metrics.buckets import Buckets
from gradgate.server.store.metrics.ranges import metric_buckets
from gradgate.server.store.metrics.sizes import KEPT
from gradgate.server.store.step_range import StepRange
from gradgate.server.store.tables import metric_blocks

from .conftest import Log

COUNT = 1024 + 300 + KEPT
"""Two tiles of the highest level, some of each lower one, and rows."""


def noise() -> NDArray[np.float64]:
    """Values with spikes, and some that are not finite."""
    random = np.random.default_rng(11)
    values = random.normal(size=COUNT)
    values[random.integers(0, COUNT, 30)] *= 1e6
    for odd in (np.nan, np.inf, -np.inf):
        values[random.integers(0, COUNT, 20)] = odd
    return values


def assert_held(made: Buckets, steps: NDArray[np.int64], values: NDArray[np.float64]) -> None:
    """Each bucket is of neighbouring values, all of which are in one."""
    starts = np.cumsum(made.count) - made.count
    assert made.count.sum() == len(values)
    for place, start in enumerate(starts.tolist()):
        part = values[start : start + made.count[place]]
        finite = part[np.isfinite(part)]
        low, high = (finite.min(), finite.max()) if len(finite) else (np.nan, np.nan)
        np.testing.assert_equal((made.low[place], made.high[place]), (low, high))
        np.testing.assert_equal(made.last[place], part[-1])
        assert made.last_step[place] == steps[start + made.count[place] - 1]
        assert made.nan[place] == np.isnan(part).sum()
        assert made.posinf[place] == np.isposinf(part).sum()
        assert made.neginf[place] == np.isneginf(part).sum()


@pytest.mark.parametrize("back", [0, 600], ids=["rising", "resumed"])
def test_no_minimum_and_no_maximum_is_lost(
    small: None,
    connection: Connection,
    opened: str,
    log: Log,
    merge: Callable[[], int],
    back: int,
) -> None:
    """In ranges of any width, with any number of points, also where a job went back."""
    steps, values = np.arange(COUNT) * 3, noise()
    steps[COUNT // 2 :] -= back
    log(steps, values)
    merge()
    random = np.random.default_rng(5)
    ranges = [(0, 10**9), *np.sort(random.integers(0, 3 * COUNT, (6, 2))).tolist(), (300, 303)]
    for first, last in ranges:
        inside = (first <= steps) & (steps <= last)
        for points in (1, 7, 100, 10_000):
            made = metric_buckets(connection, opened, "loss", StepRange(first, last), points)
            assert len(made) <= points
            assert_held(made, steps[inside], values[inside])


def test_where_there_is_room_every_value_is_there(
    small: None, connection: Connection, opened: str, log: Log, merge: Callable[[], int]
) -> None:
    """Exactly as it was logged."""
    steps, values = np.arange(COUNT), noise()
    log(steps, values)
    merge()
    made = metric_buckets(connection, opened, "loss", StepRange(), COUNT)
    np.testing.assert_array_equal(made.last, values)
    few = metric_buckets(connection, opened, "loss", StepRange(100, 105), 6)
    assert few.last_step.tolist() == [100, 101, 102, 103, 104, 105]
    assert len(metric_buckets(connection, opened, "loss", StepRange(COUNT, COUNT), 6)) == 0


def test_a_coarse_view_reads_no_values(
    small: None, connection: Connection, opened: str, log: Log, merge: Callable[[], int]
) -> None:
    """It is the same without them, and asks the data base a few times only."""
    asked: list[object] = []

    def ask(_: object, cursor: object, *__: object) -> None:
        asked.append(cursor)

    log(np.arange(COUNT), noise())
    merge()
    known = metric_buckets(connection, opened, "loss", StepRange(), 10)
    connection.execute(delete(metric_blocks).where(metric_blocks.c.level == 0))
    event.listen(connection, "after_cursor_execute", ask)
    made = metric_buckets(connection, opened, "loss", StepRange(), 10)
    event.remove(connection, "after_cursor_execute", ask)
    assert len(asked) < 12
    for with_them, without in zip(known.columns(), made.columns(), strict=True):
        np.testing.assert_array_equal(with_them, without)
    fine = metric_buckets(connection, opened, "loss", StepRange(), COUNT)
    assert_held(fine, np.arange(COUNT), noise())


def test_what_is_kept_no_longer_is_there_in_coarse_buckets(
    small: None, connection: Connection, opened: str, log: Log, merge: Callable[[], int]
) -> None:
    """Each value in one of them, also when the finest levels begin later than the coarse ones."""
    steps, values = np.arange(COUNT), noise()
    log(steps, values)
    merge()
    for level, first in ((0, 512), (1, 256)):
        connection.execute(
            delete(metric_blocks).where(
                metric_blocks.c.level == level, metric_blocks.c.first < first
            )
        )
    for points in (1, 10, 1000, COUNT):
        made = metric_buckets(connection, opened, "loss", StepRange(), points)
        assert_held(made, steps, values)
    edge = metric_buckets(connection, opened, "loss", StepRange(10, 20), 100)
    assert (edge.low_step.min(), edge.high_step.max()) == (0, 31)
