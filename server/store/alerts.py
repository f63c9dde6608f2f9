"""The alerts of a run in the store."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select

from ..protocol import limits
from ..protocol.alerts import Alert
from ..protocol.probe_messages import Alerts
from .guard import readable
from .runs import run_record
from .tables import alerts


def record_alerts(connection: Connection, run: str, message: Alerts) -> None:
    """Replace what is known, by the first 2,000; the count of all is a column of the run."""
    connection.execute(delete(alerts).where(alerts.c.run == run))
    rows = [
        {"run": run, "place": place, **each.model_dump()}
        for place, each in enumerate(message.alerts[: limits.ALERTS])
    ]
    if rows:
        connection.execute(insert(alerts), rows)


def alert_rows(connection: Connection, run: str) -> list[Alert]:
    """Return the first of the alerts that the job last told of; raises `UnknownRun`."""
    run_record(connection, run)
    query = select(alerts).where(alerts.c.run == run).order_by(alerts.c.place)
    return readable(
        connection.execute(query),
        lambda row: Alert.model_validate(row._asdict()),
        lambda row: f"the alert of {row.name} of run {run}",
    )
