"""Metrics as rows of an answer."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection

from gradgate.server.protocol.probe_messages import Metrics
from gradgate.server.store.metrics.rows import metric_rows
from gradgate.server.store.metrics.values import append_metrics
from gradgate.server.store.refusals import TooManyPoints
from gradgate.server.store.step_range import StepRange


def test_more_points_than_one_answer_has_are_refused(connection: Connection, opened: str) -> None:
    """The sentence says what to ask for; some metrics by their names are fewer."""
    values = {f"m{number}": 1.0 for number in range(1000)}
    append_metrics(
        connection, opened, [Metrics(type="metrics", seq=1, step=1, time=1.0, values=values)]
    )
    with pytest.raises(TooManyPoints, match="ask for fewer points, or for some metrics by"):
        metric_rows(connection, opened, [], StepRange(), 10_000)
    found = metric_rows(connection, opened, ["m1", "m2", "m1"], StepRange(), 10_000)
    assert list(found.metrics) == ["m1", "m2"]


@pytest.mark.parametrize("points", [1, 7, 100, 600])
def test_buckets_begin_where_their_first_value_was_logged(
    connection: Connection, opened: str, points: int
) -> None:
    """Each value is in one bucket, the first of the run too."""
    logged = [
        Metrics(type="metrics", seq=seq, step=seq * 5, time=1.0, values={"loss": 1.0})
        for seq in range(1, 498)
    ]
    append_metrics(connection, opened, logged)
    row = metric_rows(connection, opened, ["loss"], StepRange(), points).metrics["loss"]
    assert row.first_steps == [5, *(step + 5 for step in row.steps[:-1])]


def test_a_run_without_metrics_has_none(connection: Connection, opened: str) -> None:
    """Which is no error, whatever range is asked for."""
    found = metric_rows(connection, opened, [], StepRange(5, 6), 10)
    assert (found.metrics, found.names) == ({}, [])
