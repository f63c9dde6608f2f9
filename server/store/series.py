"""The series of parameters: histories in buckets, as rows."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from sqlalchemy import Connection, select

from ..protocol.history import SeriesError, SeriesRow
from ..protocol.statistics import SHARED_OUT, STORED_STATISTICS
from .buckets import History, bucket
from .parameter_table import parameter_names
from .refusals import UnknownParameter
from .runs import run_record
from .samples import read_histories
from .tables import parameters


def series_rows(
    connection: Connection,
    run: str,
    names: Sequence[str],
    stat: str,
    first_step: int | None,
    last_step: int | None,
    points: int,
) -> list[SeriesRow | SeriesError]:
    """Return the history of each parameter between two steps, both included, or why there is none.

    Raises `UnknownRun`, and `UnknownParameter` for a name that is the only one.
    """
    run_record(connection, run)
    places = _positions(connection, run, names)
    known = list(places.values())
    if len(names) == 1 and not known:
        raise UnknownParameter(_unknown_parameter(connection, run, names[0]))
    statistic = STORED_STATISTICS[stat]
    histories = read_histories(connection, run, known, statistic, first_step, last_step)
    if statistic in SHARED_OUT:
        # Most samples took it of other parameters: those are no gaps.
        histories = {place: each.measured() for place, each in histories.items()}
    return [
        _series_row(name, stat, histories[places[name]], points)
        if name in places
        else SeriesError(parameter=name, error=_unknown_parameter(connection, run, name))
        for name in names
    ]


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
