"""Samples in the store: what a query returns is what was appended, span by span."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from sqlalchemy import Connection, update

from gradgate.server.protocol.states import State
from gradgate.server.protocol.statistics import Statistic
from gradgate.server.store.samples import (
    append_samples,
    read_last_steps,
    read_latest,
    read_recent,
)
from gradgate.server.store.tables import tiles
from tests.support.stored_samples import sample

NORM, LARGEST = Statistic.GRAD_NORM, Statistic.GRAD_MAX


def test_a_damaged_block_takes_no_other_along(
    connection: Connection, open_with: Callable[[int], str]
) -> None:
    """Its parameters have no latest figure, and those of the other blocks have theirs."""
    run = open_with(200)
    append_samples(connection, run, 0, [sample(1, [7.0] * 200)])
    damaged = (tiles.c.statistic == NORM) & (tiles.c.block == 0)
    connection.execute(update(tiles).where(damaged).values(data=b"nothing"))
    latest = read_latest(connection, run, 200)
    assert np.isnan(latest.grad_norm[:128]).all()
    assert (latest.grad_norm[128:] == 7).all()
    recent = read_recent(connection, run, 200, 5)
    assert np.isnan(recent.values[0, :128]).all()
    assert (recent.values[0, 128:] == 7).all()


def test_the_latest_figures_are_of_the_last_sample(connection: Connection, opened: str) -> None:
    """But for `grad_max`, which is not in every sample: there it is the last that was measured."""
    first = sample(1, [1.0, 2.0], grad_max=[5.0, 6.0])
    append_samples(connection, opened, 0, [first, sample(2, [3.0, 4.0])])
    latest = read_latest(connection, opened, 2)
    assert latest.step == 2
    assert latest.grad_norm.tolist() == [3.0, 4.0]
    assert latest.grad_max.tolist() == [5.0, 6.0]
    assert latest.states.tolist() == [State.PRESENT, State.PRESENT]


def test_the_latest_movement_of_each_parameter_is_found(
    connection: Connection, open_with: Callable[[int], str]
) -> None:
    """Samples take turns: a parameter's is in an earlier span, or sample, than its neighbour's."""
    run = open_with(200)
    numbers = np.arange(200, dtype=np.float32)
    for first, share in enumerate([slice(0, 60), slice(60, 130), slice(130, 190), slice(0, 10)]):
        seen = np.full(200, np.nan, np.float32)
        seen[share] = numbers[share] + 1000 * first
        made = sample(first + 1, [1.0] * 200)
        made.values[Statistic.WEIGHT_NORM] = seen
        append_samples(connection, run, first, [made])
    wanted = numbers + np.array([3000] * 10 + [0] * 50 + [1000] * 70 + [2000] * 60 + [np.nan] * 10)
    latest = read_latest(connection, run, 200)
    np.testing.assert_array_equal(latest.weight_norm, wanted.astype(np.float32))
    assert np.isnan(latest.update_ratio).all()


def test_before_the_first_sample_nothing_is_measured(connection: Connection, opened: str) -> None:
    """There is no step, and every parameter is unmeasured."""
    latest = read_latest(connection, opened, 2)
    assert latest.step is None
    assert latest.states.tolist() == [State.UNMEASURED, State.UNMEASURED]
    assert read_recent(connection, opened, 2, 5).steps == []
    assert read_last_steps(connection, opened, 5).tolist() == []


@pytest.mark.parametrize("points", [1, 3, 4, 9, 20])
def test_the_recent_samples_are_the_last(
    connection: Connection, three_spans: str, points: int
) -> None:
    """As many as were asked for, across spans, oldest first."""
    recent = read_recent(connection, three_spans, 2, points)
    steps = list(range(1, 10))[-points:]
    assert recent.steps == steps
    assert recent.values[:, 0].tolist() == steps
    assert recent.states.shape == (len(steps), 2)
    assert read_last_steps(connection, three_spans, points).tolist() == steps
