"""Alerts that nobody has dismissed, in the rows of their runs."""

from __future__ import annotations

from sqlalchemy import Connection

from gradgate.server.events.finding import Finding
from gradgate.server.protocol.probe_messages import Hello
from gradgate.server.store.events import append_events, dismiss_event
from gradgate.server.store.open_alerts import OpenAlerts, open_alerts
from gradgate.server.store.runs import open_run, run_row, run_rows
from tests.support.probing import hello


def finding(step: int, level: str = "alert") -> Finding:
    """Something that happened at a step."""
    return Finding("spike", level, float(step), step, "It rose.", {}, last_step=step + 2)


def test_open_alerts_are_counted(connection: Connection, opened: str) -> None:
    """With the step of the latest; no note is, and none that was dismissed until it is taken up."""
    assert (run_row(connection, opened).open_alerts, run_row(connection, opened).last_alert) == (
        0,
        None,
    )
    append_events(connection, opened, [finding(5), finding(9), finding(20, "note")])
    (row,) = run_rows(connection)
    assert (row.open_alerts, row.last_alert) == (2, 11)
    dismiss_event(connection, opened, 2, 50.0)
    row = run_row(connection, opened)
    assert (row.open_alerts, row.last_alert) == (1, 7)
    dismiss_event(connection, opened, 2, None)
    assert run_row(connection, opened).open_alerts == 2


def test_each_run_has_its_own(connection: Connection, opened: str) -> None:
    """One without any has no entry."""
    loud = "f" * 16
    open_run(connection, Hello.model_validate(hello(loud)), 2.0)
    append_events(connection, loud, [finding(5)])
    assert open_alerts(connection) == {loud: OpenAlerts(1, 7)}
    assert open_alerts(connection, opened) == {}
