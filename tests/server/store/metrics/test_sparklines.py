"""The course of one metric of each of several runs."""

from __future__ import annotations

from sqlalchemy import Connection

from gradgate.server.protocol.probe_messages import Hello, Metrics
from gradgate.server.store.metrics.sparklines import metric_sparklines
from gradgate.server.store.metrics.values import append_metrics
from gradgate.server.store.runs import open_run
from tests.support.probing import hello


def log(connection: Connection, run: str, *rows: dict[str, float]) -> None:
    """Open a run that logs one row of values after the other."""
    open_run(connection, Hello.model_validate(hello(run, name=run)), 1.0)
    frames = [
        Metrics(type="metrics", seq=step, step=step, time=float(step), values=values)
        for step, values in enumerate(rows, 1)
    ]
    append_metrics(connection, run, frames)


def test_the_loss_is_drawn_or_else_the_first_metric(connection: Connection) -> None:
    """What is not finite is a gap, and runs without a metric, or unknown ones, are left out."""
    inf = float("inf")
    log(connection, "a" * 16, {"acc": 0.1, "val/Loss": 2.0}, {"val/Loss": inf}, {"val/Loss": 1.0})
    log(connection, "b" * 16, {"reward": 1.0, "speed": 9.0})
    log(connection, "c" * 16)
    wanted = [letter * 16 for letter in "abcd"]
    found = metric_sparklines(connection, wanted, 60)
    assert {run[0]: (each.metric, each.values) for run, each in found.items()} == {
        "a": ("val/Loss", [2.0, None, 1.0]),
        "b": ("reward", [1.0]),
    }


def test_a_long_course_has_as_many_points_as_were_asked_for(connection: Connection) -> None:
    """The last of them is the last that was logged."""
    log(connection, "a" * 16, *({"loss": float(step)} for step in range(500)))
    values = metric_sparklines(connection, ["a" * 16], 20)["a" * 16].values
    assert len(values) <= 20
    assert values[-1] == 499.0
