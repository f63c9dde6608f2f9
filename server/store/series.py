"""The series of parameters: histories in buckets, as rows."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from sqlalchemy import Connection

from ..protocol.history import SeriesError, SeriesRow
from ..protocol.statistics import OCCASIONAL, STORED_STATISTICS
from .buckets import Track, bucket
from .levels.cover import Range
from .parameter_table import parameter_names
from .refusals import UnknownParameter
from .runs import run_record
from .tracks import read_tracks


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

    A bucket of the store that has a step of the range belongs to it as a whole.

    Raises `UnknownRun`, and `UnknownParameter` for a name that is the only one.
    """
    run_record(connection, run)
    known_names = parameter_names(connection, run)
    places = _positions(known_names, names)
    known = list(places.values())
    if len(names) == 1 and not known:
        raise UnknownParameter(_unknown_parameter(known_names, run, names[0]))
    statistic = STORED_STATISTICS[stat]
    steps = Range(first_step, last_step)
    tracks = read_tracks(connection, run, known, statistic, steps, points)
    if statistic in OCCASIONAL:
        # Most samples did not take it of this parameter: those are no gaps.
        tracks = {place: each.only_measured() for place, each in tracks.items()}
    return [
        _series_row(name, stat, tracks[places[name]], points)
        if name in places
        else SeriesError(parameter=name, error=_unknown_parameter(known_names, run, name))
        for name in names
    ]


def _positions(known: Sequence[str], names: Sequence[str]) -> dict[str, int]:
    wanted = set(names)
    return {name: place for place, name in enumerate(known) if name in wanted}


def _series_row(name: str, stat: str, track: Track, points: int) -> SeriesRow:
    buckets = bucket(track, points)
    return SeriesRow(
        parameter=name,
        stat=stat,
        first_steps=buckets.first_steps,
        steps=buckets.steps,
        values=buckets.values,
        min=buckets.low,
        max=buckets.high,
        states=buckets.states,
        samples=int(track.sizes.sum()),
    )


def _unknown_parameter(known: Sequence[str], run: str, name: str) -> str:
    near = difflib.get_close_matches(name, known, 3)
    hint = f"did you mean {', '.join(map(repr, near))}?" if near else "none has a name like it."
    return f"Run {run!r} has no parameter {name!r}: {hint}"
