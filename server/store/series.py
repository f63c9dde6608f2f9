"""The series of parameters: histories in buckets, as rows."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from sqlalchemy import Connection, select

from ..protocol.history import SeriesRow
from .buckets import History, bucket
from .parameter_table import parameter_names
from .tables import parameters


def _positions(connection: Connection, run: str, names: Sequence[str]) -> dict[str, int]:
    rows = connection.execute(
        select(parameters.c.name, parameters.c.position).where(
            parameters.c.run == run, parameters.c.name.in_(names)
        )
    )
    return {row.name: row.position for row in rows}


def _series_row(name: str, stat: str, history: History, points: int) -> SeriesRow:
    buckets = bucket(history, points)
    return SeriesRow(
        parameter=name,
        stat=stat,
        steps=buckets.steps,
        values=buckets.values,
        min=buckets.low,
        max=buckets.high,
        states=buckets.states,
        samples=len(history.steps),
    )


def _unknown_parameter(connection: Connection, run: str, name: str) -> str:
    near = difflib.get_close_matches(name, parameter_names(connection, run), 3)
    hint = f"did you mean {', '.join(map(repr, near))}?" if near else "none has a name like it."
    return f"Run {run!r} has no parameter {name!r}: {hint}"
