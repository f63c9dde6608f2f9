"""Metrics in the store."""

from __future__ import annotations

import numpy as np
import pytest
from sqlalchemy import Connection

from gradgate.server.protocol.probe_messages import Metrics
from gradgate.server.protocol.totals import Totals
from gradgate.server.store.metrics import append_metrics, read_metric_before, read_metrics


def logged(seq: int, step: int, **values: float | None) -> Metrics:
    """What was logged at a step."""
    return Metrics(type="metrics", seq=seq, step=step, time=1.0, values=values)


@pytest.fixture
def run_of_losses(connection: Connection, opened: str) -> str:
    """A loss at the steps 10, 20 and 30, and at 20 once more."""
    frames = [logged(seq, step, loss=seq) for seq, step in enumerate((10, 20, 20, 30), 1)]
    append_metrics(connection, opened, frames)
    return opened


def test_metrics_are_read_as_they_were_logged(connection: Connection, run_of_losses: str) -> None:
    """The latest of each in the order of their arrival, and none is lost."""
    assert read_metrics(connection, run_of_losses, 10) == {
        "loss": ([10, 20, 20, 30], [1.0, 2.0, 3.0, 4.0])
    }
    assert read_metrics(connection, run_of_losses, 2) == {"loss": ([20, 30], [3.0, 4.0])}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None])
def test_a_number_that_is_not_finite_is_null(
    connection: Connection, opened: str, value: float | None
) -> None:
    """As the API shows it."""
    append_metrics(connection, opened, [logged(1, 1, loss=value)])
    assert read_metrics(connection, opened, 5) == {"loss": ([1], [None])}


def test_total_norms_are_a_metric(connection: Connection, opened: str) -> None:
    """Each step of a frame has its value, null where it is not finite."""
    for seq, steps in enumerate(([3, 4, 6], [7]), 1):
        norms = [None if step == 4 else float(step) for step in steps]
        flags = [0] * len(steps)
        append_metrics(
            connection,
            opened,
            [Totals(type="totals", seq=seq, time=1.0, steps=steps, norms=norms, flags=flags)],
        )
    expected = {"gradgate/total_grad_norm": ([4, 6, 7], [None, 6.0, 7.0])}
    assert read_metrics(connection, opened, 3) == expected


def test_the_value_before_a_step_is_the_latest_there(
    connection: Connection, run_of_losses: str
) -> None:
    """At the step itself too; before the first there is none."""
    steps = np.array([9, 10, 19, 20, 29, 30, 99])
    found = read_metric_before(connection, run_of_losses, ["loss"], steps, 100)
    assert found == ([None, 1.0, 1.0, 3.0, 3.0, 4.0, 4.0], 0)


def test_a_reading_that_is_cut_says_how_far_it_reaches(
    connection: Connection, run_of_losses: str
) -> None:
    """Only the steps from the second answer on have a value that is known to be the latest."""
    steps = np.array([10, 19, 20, 30])
    found, reached = read_metric_before(connection, run_of_losses, ["loss"], steps, 2)
    assert (found[reached:], reached) == ([3.0, 4.0], 2)
