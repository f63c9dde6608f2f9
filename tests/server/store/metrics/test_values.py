"""Metrics in the store."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from sqlalchemy import Connection

from gradgate.server.protocol.probe_messages import Metrics
from gradgate.server.protocol.totals import Totals
from gradgate.server.store.metrics.packing import Values
from gradgate.server.store.metrics.values import (
    append_metrics,
    metric_names,
    next_values,
    read_metric_before,
    values_between,
)

from .conftest import Log


def logged(seq: int, step: int, **values: float | None) -> Metrics:
    """What was logged at a step."""
    return Metrics(type="metrics", seq=seq, step=step, time=1.0, values=values)


@pytest.fixture
def run_of_losses(connection: Connection, opened: str) -> str:
    """A loss at the steps 10, 20 and 30, and at 20 once more."""
    frames = [logged(seq, step, loss=seq) for seq, step in enumerate((10, 20, 20, 30), 1)]
    append_metrics(connection, opened, frames)
    return opened


def read(connection: Connection, run: str, name: str = "loss") -> Values:
    """Every value of a metric."""
    return next_values(connection, run, name, 0)[1]


def test_metrics_are_read_as_they_were_logged(connection: Connection, run_of_losses: str) -> None:
    """In the order of their arrival, from any number on, and none is lost."""
    whole = read(connection, run_of_losses)
    assert whole.steps.tolist() == [10, 20, 20, 30]
    assert whole.values.tolist() == [1.0, 2.0, 3.0, 4.0]
    assert (whole.seqs.tolist(), whole.times.tolist()) == ([1, 2, 3, 4], [1.0] * 4)
    end, part = next_values(connection, run_of_losses, "loss", 2)
    assert (end, part.values.tolist()) == (4, [3.0, 4.0])
    assert len(next_values(connection, run_of_losses, "loss", 4)[1]) == 0


def test_names_are_found_in_order(connection: Connection, opened: str, run_of_losses: str) -> None:
    """Each once, and none of another run or of one without metrics."""
    append_metrics(connection, opened, [logged(9, 9, z=1, a=2), logged(10, 10, z=1)])
    append_metrics(connection, "0" * 16, [logged(1, 1, other=1)])
    assert metric_names(connection, opened) == ["a", "loss", "z"]
    assert metric_names(connection, "1" * 16) == []


@pytest.mark.parametrize("word", ["nan", "inf", "-inf"])
def test_a_number_that_is_not_finite_stays_what_it_was(
    connection: Connection, opened: str, word: str
) -> None:
    """As JSON has it, beside a null; or as a number of Python."""
    told = logged(1, 1, loss=None).model_copy(update={"nonfinite": {"loss": word}})
    append_metrics(connection, opened, [told, logged(2, 2, loss=float(word))])
    assert [str(value) for value in read(connection, opened).values.tolist()] == [word] * 2


def test_total_norms_are_a_metric(connection: Connection, opened: str) -> None:
    """Each step of a frame has its value, NaN where it is not finite."""
    for seq, steps in enumerate(([3, 4, 6], [7]), 1):
        norms = [None if step == 4 else float(step) for step in steps]
        flags = [0] * len(steps)
        append_metrics(
            connection,
            opened,
            [Totals(type="totals", seq=seq, time=1.0, steps=steps, norms=norms, flags=flags)],
        )
    found = read(connection, opened, "gradgate/total_grad_norm")
    assert found.steps.tolist() == [3, 4, 6, 7]
    np.testing.assert_array_equal(found.values, [3.0, np.nan, 6.0, 7.0])


def test_values_between_two_steps(
    small: None, connection: Connection, opened: str, log: Log, merge: Callable[[], int]
) -> None:
    """Both included, of blocks and of rows, also where the job went back."""
    steps = np.append(np.arange(400), np.arange(390, 400))
    log(steps, steps * 0.5)
    merge()
    found = values_between(connection, opened, "loss", 100, 395)
    assert found.steps.tolist() == [*range(100, 396), *range(390, 396)]
    assert found.values.tolist() == (found.steps * 0.5).tolist()


def test_the_value_before_a_step_is_found_in_blocks(
    small: None, connection: Connection, opened: str, log: Log, merge: Callable[[], int]
) -> None:
    """Among the values of several metrics, as they were logged; no more is read than is allowed."""
    log(np.arange(400), np.arange(400.0))
    merge()
    append_metrics(connection, opened, [logged(1000, 401, other=7.0)])
    steps = np.array([20, 30, 402])
    found = read_metric_before(connection, opened, ["loss", "other"], steps, 1000)
    assert found == ([20.0, 30.0, 7.0], 0)
    cut, reached = read_metric_before(connection, opened, ["loss", "other"], steps, 100)
    assert (cut[reached:], reached) == ([7.0], 2)


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
