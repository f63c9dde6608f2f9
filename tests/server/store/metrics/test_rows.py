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


def test_a_run_without_metrics_has_none(connection: Connection, opened: str) -> None:
    """Which is no error, whatever range is asked for."""
    found = metric_rows(connection, opened, [], StepRange(5, 6), 10)
    assert (found.metrics, found.names) == ({}, [])
