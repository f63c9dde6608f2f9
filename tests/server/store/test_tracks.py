"""Tracks and histories of parameters: what a query returns is what was appended, span by span."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from sqlalchemy import Connection, update

from gradgate.server.protocol.states import State
from gradgate.server.protocol.statistics import Statistic
from gradgate.server.store.samples import append_samples
from gradgate.server.store.tables import spans
from gradgate.server.store.tracks import read_histories
from tests.support.stored_samples import sample

NORM, LARGEST = Statistic.GRAD_NORM, Statistic.GRAD_MAX


@pytest.mark.parametrize(
    ("first", "last", "steps"),
    [
        (None, None, range(1, 10)),
        (3, None, range(3, 10)),
        (4, None, range(4, 10)),
        (None, 4, range(1, 5)),
        (None, 6, range(1, 7)),
        (6, 7, range(6, 8)),
        (9, 9, [9]),
        (1, 1, [1]),
        (10, None, []),
    ],
)
def test_a_history_has_both_of_its_ends(
    connection: Connection, three_spans: str, first: int | None, last: int | None, steps: range
) -> None:
    """A span that has one step of the range, its first or its last, is read."""
    history = read_histories(connection, three_spans, [0], NORM, first, last)[0]
    assert history.steps.tolist() == list(steps)
    assert history.values.tolist() == list(steps)


def test_each_parameter_has_its_own_column(
    connection: Connection, open_with: Callable[[int], str]
) -> None:
    """Across blocks, and whichever are asked for."""
    run = open_with(300)
    append_samples(connection, run, 0, [sample(5, range(300))])
    found = read_histories(connection, run, [0, 127, 128, 299], NORM, None, None)
    assert {place: history.values.tolist() for place, history in found.items()} == {
        0: [0.0],
        127: [127.0],
        128: [128.0],
        299: [299.0],
    }


def test_what_was_not_measured_is_no_number(
    connection: Connection, open_with: Callable[[int], str]
) -> None:
    """A statistic that no sample had, and a parameter that came later."""
    run = open_with(2)
    append_samples(connection, run, 0, [sample(1, [1.0])])
    append_samples(connection, run, 1, [sample(2, [1.0, 2.0])])
    later = read_histories(connection, run, [1], NORM, None, None)[1]
    assert later.states.tolist() == [State.UNMEASURED, State.PRESENT]
    assert np.isnan(later.values[0])
    assert later.values[1] == 2
    largest = read_histories(connection, run, [0], LARGEST, None, None)[0]
    assert np.isnan(largest.values).all()


def test_a_damaged_span_takes_no_other_along(connection: Connection, three_spans: str) -> None:
    """Its samples are left out, and the history goes on behind it."""
    damaged = (spans.c.run == three_spans) & (spans.c.first == 3)
    connection.execute(update(spans).where(damaged).values(axis=b"nothing"))
    history = read_histories(connection, three_spans, [0], NORM, None, None)[0]
    assert history.steps.tolist() == [1, 2, 3, 7, 8, 9]
