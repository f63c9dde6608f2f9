"""Merging of metrics: values become blocks and tiles, and none is lost."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import Connection, delete, func, select
from sqlalchemy.exc import IntegrityError

from gradgate.server.store.deletion import begin_deletion
from gradgate.server.store.merges import Outdated
from gradgate.server.store.metrics.merging import MetricMerges, next_metric_merge
from gradgate.server.store.metrics.sizes import BLOCK, KEPT
from gradgate.server.store.metrics.values import next_values
from gradgate.server.store.runs import lose
from gradgate.server.store.tables import metric_blocks, metrics

from .conftest import Log


def levels(connection: Connection) -> dict[int, int]:
    """How many blocks or tiles each level has."""
    query = select(metric_blocks.c.level, func.count()).group_by(metric_blocks.c.level)
    return {row.level: row[1] for row in connection.execute(query)}


def rows(connection: Connection) -> int:
    """How many values are rows."""
    return connection.execute(select(func.count()).select_from(metrics)).scalar_one()


def test_the_oldest_values_become_a_block(
    connection: Connection, log: Log, merge: Callable[[], int]
) -> None:
    """The newest stay rows; one value fewer, and nothing is merged."""
    count = 2 * BLOCK + KEPT
    log(np.arange(count - 1), np.zeros(count - 1))
    assert merge() == 1
    assert rows(connection) == BLOCK + KEPT - 1
    assert levels(connection) == {0: 1, 1: 1}
    assert merge() == 0


def test_blocks_become_tiles_of_each_level(
    small: None, connection: Connection, opened: str, log: Log, merge: Callable[[], int]
) -> None:
    """And what they are made of stays, with every value in its order."""
    values = np.random.default_rng(3).normal(size=1024 + KEPT)
    log(np.arange(len(values)), values)
    assert merge() == 64
    assert levels(connection) == {0: 64, 1: 64, 2: 16, 3: 4, 4: 1}
    found = np.concatenate(_all(connection, opened))
    np.testing.assert_array_equal(found, values)


def test_a_block_is_made_once(
    connection: Connection, opened: str, log: Log, merge: Callable[[], int]
) -> None:
    """By the faster of two servers, and never of values that are gone."""
    log(np.arange(BLOCK + KEPT), np.zeros(BLOCK + KEPT))
    found = next_metric_merge(connection, opened)
    assert found is not None
    merge()
    with pytest.raises(IntegrityError), connection.begin_nested():
        found.apply(connection)
    connection.execute(delete(metric_blocks))
    with pytest.raises(Outdated, match="is not as it was read"), connection.begin_nested():
        found.apply(connection)
    assert (rows(connection), levels(connection)) == (KEPT, {})


def test_nothing_comes_back_of_a_deleted_run(connection: Connection, opened: str, log: Log) -> None:
    """Though its rows are still there."""
    log(np.arange(BLOCK + KEPT), np.zeros(BLOCK + KEPT))
    found = next_metric_merge(connection, opened)
    assert found is not None
    lose(connection, opened)
    begin_deletion(connection, opened)
    with pytest.raises(Outdated), connection.begin_nested():
        found.apply(connection)
    assert levels(connection) == {}


def test_a_run_is_looked_through_now_and_then(
    connection: Connection, opened: str, log: Log
) -> None:
    """Again at once while there is something; all runs with metrics are looked at first."""
    source, patient = MetricMerges(every=0), MetricMerges(every=1000)
    assert source.unmerged_runs(connection) == []
    assert source.next_merge(connection, opened) is patient.next_merge(connection, opened) is None
    log(np.arange(BLOCK + KEPT), np.zeros(BLOCK + KEPT))
    assert source.unmerged_runs(connection) == [opened]
    assert source.next_merge(connection, opened) is not None
    assert patient.next_merge(connection, opened) is None


def _all(connection: Connection, run: str) -> list[NDArray[np.float64]]:
    parts: list[NDArray[np.float64]] = []
    number = 0
    while True:
        number, found = next_values(connection, run, "loss", number)
        if not len(found):
            return parts
        parts.append(found.values)
