"""What happened in a run, in the store."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
from sqlalchemy import Connection, Row, func, insert, select, update

from ..events.finding import NAMES, Finding, Positions
from ..protocol.events import EventRow
from .guard import readable
from .parameter_table import names_at, parameter_names, read_table
from .refusals import ReversedRange, UnknownEvent, UnknownParameter
from .runs import locked_run, run_record
from .tables import events

NAMED = 20
"""Parameters that a row names."""
_TOLD = 3
"""Parameters that a sentence names."""
_READ = 200


def append_events(connection: Connection, run: str, findings: Sequence[Finding]) -> list[int]:
    """Store events, and return their ids."""
    if not findings:
        return []
    highest = connection.scalar(select(func.max(events.c.id)).where(events.c.run == run)) or 0
    rows = [
        {
            "run": run,
            "id": highest + place,
            "kind": each.kind,
            "level": each.level,
            "time": each.time,
            "step": each.step,
            "last_step": max(each.step, each.last_step or 0),
            "count": len(each.parameters),
            "members": pack_members(each.parameters),
            "sentence": _sentence(connection, run, each),
            "figures": _finite(each.figures),
            "dismissed": None,
        }
        for place, each in enumerate(findings, start=1)
    ]
    connection.execute(insert(events), rows)
    return [int(row["id"]) for row in rows]


def add_to_event(
    connection: Connection, run: str, number: int, findings: Sequence[Finding]
) -> None:
    """Add what is like an event to it: its steps reach further, and it counts what was added.

    They reach further back as well, where the job went back to a checkpoint.
    """
    here = (events.c.run == run, events.c.id == number)
    row = connection.execute(select(events).where(*here)).one()
    members = [unpack_members(row.members), *(each.parameters for each in findings)]
    together = np.unique(np.concatenate(members))
    last = max(each.step if each.last_step is None else each.last_step for each in findings)
    more = row.figures.get("more", 0) + len(findings)
    connection.execute(
        update(events)
        .where(*here)
        .values(
            step=min(row.step, *(each.step for each in findings)),
            last_step=max(row.last_step, last),
            count=len(together),
            members=pack_members(together),
            figures={**row.figures, "more": more},
        )
    )


def latest_of_kind(
    connection: Connection, run: str, kind: str, count: int
) -> list[tuple[int, float]]:
    """Return the ids and times of the latest events of a kind, oldest first."""
    query = (
        select(events.c.id, events.c.time)
        .where(events.c.run == run, events.c.kind == kind)
        .order_by(events.c.id.desc())
        .limit(count)
    )
    return [(row.id, row.time) for row in connection.execute(query)][::-1]


def event_rows(
    connection: Connection,
    run: str,
    *,
    limit: int,
    kinds: Sequence[str] = (),
    first_step: int | None = None,
    last_step: int | None = None,
    parameter: str | None = None,
    level: str | None = None,
    text: str | None = None,
    after: int | None = None,
    before: int | None = None,
    ids: Iterable[int] | None = None,
    dismissed: bool = True,
) -> list[EventRow]:
    """Return the latest events of a run that are all of this, newest first.

    `first_step` and `last_step` choose those that touch the steps between; `text` those with it in
    the sentence, in upper or lower case; `after` and `before` an id, those behind it and those
    ahead of it. Raises `UnknownRun`, `UnknownParameter` and `ReversedRange`.
    """
    run_record(connection, run)
    if first_step is not None and last_step is not None and first_step > last_step:
        raise ReversedRange(first_step, last_step)
    query = select(events).where(events.c.run == run)
    if kinds:
        query = query.where(events.c.kind.in_(kinds))
    if first_step is not None:
        query = query.where(events.c.last_step >= first_step)
    if last_step is not None:
        query = query.where(events.c.step <= last_step)
    if after is not None:
        query = query.where(events.c.id > after)
    if before is not None:
        query = query.where(events.c.id < before)
    if level is not None:
        query = query.where(events.c.level == level)
    if text:
        query = query.where(events.c.sentence.icontains(text, autoescape=True))
    if ids is not None:
        query = query.where(events.c.id.in_(list(ids)))
    if not dismissed:
        query = query.where(events.c.dismissed.is_(None))
    query = query.order_by(events.c.id.desc())
    if parameter is None:
        rows = list(connection.execute(query.limit(limit)))
    else:
        position = _position(connection, run, parameter)
        with connection.execute(query.execution_options(yield_per=_READ)) as found:
            rows = list(islice(_of_parameter(found, position), limit))
    return _event_rows(connection, run, rows)


def dismiss_event(connection: Connection, run: str, number: int, now: float | None) -> EventRow:
    """Put an event aside since `now`, or with None take it up again.

    Raises `UnknownRun` and `UnknownEvent`.
    """
    locked_run(connection, run)
    here = (events.c.run == run, events.c.id == number)
    known = connection.execute(select(events.c.dismissed).where(*here)).one_or_none()
    if known is None:
        raise UnknownEvent(
            f"Run {run!r} has no event {number}: GET /api/runs/{run}/events lists those it has."
        )
    if (known.dismissed is None) != (now is None):
        connection.execute(update(events).where(*here).values(dismissed=now))
    return _event_rows(connection, run, connection.execute(select(events).where(*here)).all())[0]


def pack_members(positions: Positions) -> bytes | None:
    """Pack positions in a table: a bit a parameter, compressed."""
    if not len(positions):
        return None
    bits = np.zeros(int(positions.max()) + 1, bool)
    bits[positions] = True
    return zlib.compress(np.packbits(bits).tobytes(), 1)


def unpack_members(data: bytes | None) -> Positions:
    """Return the positions that `pack_members` was given, in rising order."""
    if data is None:
        return np.empty(0, np.intp)
    return np.flatnonzero(np.unpackbits(np.frombuffer(zlib.decompress(data), np.uint8)))


def _of_parameter(rows: Iterable[Row[Any]], position: int) -> Iterator[Row[Any]]:
    for row in rows:
        if row.members is not None and position in unpack_members(row.members):
            yield row


def _position(connection: Connection, run: str, parameter: str) -> int:
    place = read_table(connection, run).place(parameter)
    if place is not None:
        return place
    raise UnknownParameter(
        f"Run {run!r} has no parameter {parameter!r}: GET /api/runs/{run}/parameters lists them."
    )


def _event_rows(connection: Connection, run: str, rows: Sequence[Row[Any]]) -> list[EventRow]:
    names = parameter_names(connection, run) if any(row.count for row in rows) else []
    return readable(
        rows, lambda row: _event_row(row, names), lambda row: f"event {row.id} of run {run}"
    )


def _event_row(row: Row[Any], names: Sequence[str]) -> EventRow:
    fields = dict(row._mapping)
    first = unpack_members(row.members)[:NAMED].tolist()
    sentence = row.sentence
    if more := row.figures.get("more", 0):
        sentence += f" And {more:,} more like it up to step {row.last_step:,}."
    return EventRow.model_validate(
        {**fields, "parameters": [names[place] for place in first], "sentence": sentence}
    )


def _finite(value: Any) -> Any:
    """Return figures with null for each that is not finite, which JSON cannot hold."""
    if isinstance(value, Mapping):
        return {name: _finite(each) for name, each in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _sentence(connection: Connection, run: str, finding: Finding) -> str:
    count = len(finding.parameters)
    if not count:
        return finding.sentence.replace(NAMES, "no parameter")
    first = finding.parameters[:_TOLD].tolist()
    names = names_at(connection, run, first)
    told = ", ".join(names[place] for place in first)
    if count > len(first):
        told += f" and {count - len(first):,} more"
    return finding.sentence.replace(NAMES, told)
