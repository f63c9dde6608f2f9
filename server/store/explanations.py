"""The latest explanations of a run in the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from ..protocol.explanations import Explanation, ExplanationRows
from ..protocol.probe_messages import Explanations
from .guard import readable
from .parameter_table import read_table
from .runs import run_record
from .tables import explained, explanations
from .targets import meant


def record_explanations(connection: Connection, run: str, message: Explanations, at: float) -> bool:
    """Replace what is known; False when that is of a later step, and stays."""
    known = connection.scalar(select(explained.c.step).where(explained.c.run == run))
    if known is not None and known > message.step:
        return False
    for table in (explained, explanations):
        connection.execute(delete(table).where(table.c.run == run))
    connection.execute(
        insert(explained).values(
            run=run,
            total=message.count,
            time=at,
            **message.model_dump(include={"step", "seconds", "ratio", "command"}),
        )
    )
    rows = [
        {"run": run, "place": place, **each.model_dump()}
        for place, each in enumerate(message.explanations)
    ]
    if rows:
        connection.execute(insert(explanations), rows)
    return True


def explanation_rows(connection: Connection, run: str, match: str | None) -> ExplanationRows:
    """Return what is known, of all or of what a target means; raises `UnknownRun`."""
    run_record(connection, run)
    head = connection.execute(select(explained).where(explained.c.run == run)).one_or_none()
    if head is None:
        return ExplanationRows()
    query = select(explanations).where(explanations.c.run == run).order_by(explanations.c.place)
    rows = connection.execute(query).all()
    chosen = rows if match is None else _meant(connection, run, rows, match)
    return ExplanationRows(
        step=head.step,
        seconds=head.seconds,
        ratio=head.ratio,
        total=head.total,
        left_out=head.total - len(rows),
        by="job" if head.command is None else "command",
        command=head.command,
        time=head.time,
        explanations=readable(
            chosen,
            lambda row: Explanation.model_validate(row._asdict()),
            lambda row: f"the explanation of {row.name} of run {run}",
        ),
    )


def causes(connection: Connection, run: str) -> dict[int, str]:
    """Return the cause of each parameter that has an explanation."""
    query = select(explanations.c.parameter, explanations.c.cause)
    known = query.where(explanations.c.run == run, explanations.c.parameter.is_not(None))
    return {row.parameter: row.cause for row in connection.execute(known)}


def _meant(
    connection: Connection, run: str, rows: Sequence[Row[Any]], match: str
) -> list[Row[Any]]:
    """Return the rows of what a target means, by any name that it has now or had then."""
    names = read_table(connection, run).all_names
    places = []
    for row in rows:
        if row.parameter is None:
            places.append(len(names))
            names.append([row.name])
        else:
            places.append(row.parameter)
            names[row.parameter] = [*names[row.parameter], row.name]
    found = set(meant(match, names))
    return [row for place, row in zip(places, rows, strict=True) if place in found]
