"""Runs in the store."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, func, insert, select, update
from sqlalchemy.exc import DatabaseError

from ..protocol.parameter_table import NO_TABLE, Table
from ..protocol.probe_messages import Hello
from ..protocol.run_names import runs_of_name
from ..protocol.runs import RunEdit, RunRow, RunStatus, Tag
from .guard import guarded, logged, readable
from .integrity import is_damage
from .open_alerts import OpenAlerts, open_alerts
from .parameter_table import check_indexes, read_table, save_table, table_summary
from .refusals import AmbiguousRun, BeingDeleted, UnknownRun, UnknownTable
from .tables import deletions, meta, runs


@dataclass(frozen=True, slots=True)
class OpenedRun:
    """What the store knows of a run when its probe says hello."""

    last_seq: int
    table: Table
    status: RunStatus | None
    """As it was before; None: the run is new."""

    @property
    def status_now(self) -> RunStatus:
        """What it is from here on."""
        if self.status is not None and self.status.ended:
            return self.status
        return RunStatus.LIVE


@dataclass(frozen=True, slots=True)
class _NamedRun:
    """A run, as far as its name goes."""

    id: str
    name: str
    number: int
    status: RunStatus


def open_run(
    connection: Connection, hello: Hello, now: float, known_table: Table = NO_TABLE
) -> OpenedRun:
    """Register a new run, or take up a known one again.

    `known_table` is what its probe had when it was last here, if that is still in memory.
    One that has ended stays so until something follows this hello: it may have been long on its
    way, from a connection that its probe gave up for another.
    Raises `Refusal` when the table differs, `UnknownTable` when it is not told and not known, and
    `BeingDeleted` while an earlier run of this id is.
    """
    _lock_names(connection)
    if connection.scalar(select(deletions.c.run).where(deletions.c.run == hello.run)) is not None:
        raise BeingDeleted(hello.run)
    known = connection.execute(
        select(runs).where(runs.c.id == hello.run).with_for_update()
    ).one_or_none()
    if hello.has_table:
        table = hello.table
    elif known is None or known.table_digest != hello.digest:
        raise UnknownTable(hello.run)
    elif known_table.digest == hello.digest:
        table = known_table
    else:
        table = replace(read_table(connection, hello.run), digest=hello.digest)
    check_indexes(hello.frozen, len(table))
    described = {
        "status": RunStatus.LIVE.value,
        "started": hello.started,
        "last_seen": now,
        "step": hello.step,
        "group": hello.group,
        "host": hello.host,
        "pid": hello.pid,
        "probe_version": hello.probe_version,
        "torch_version": hello.torch_version,
        "figures": hello.figures,
        "ranks": hello.ranks,
        "compiled": hello.compiled,
        "expect": hello.expect,
        "table_digest": hello.digest,
        "restraints": hello.restraints.model_dump(mode="json"),
        "frozen": [item.model_dump() for item in hello.frozen],
        **table_summary(table, {place for item in hello.frozen for place in item.parameters}),
    }
    if known is None:
        connection.execute(
            insert(runs).values(
                id=hello.run,
                name=hello.name,
                number=_next_number(connection, hello.name),
                created=now,
                last_seq=0,
                sample_seq=0,
                frozen_seq=0,
                samples=0,
                dropped=0,
                faults=0,
                states={},
                gates=[],
                alerts=0,
                tags=[],
                notes="",
                archived=False,
                **described,
            )
        )
        save_table(connection, hello.run, table)
        last_seq = 0
    else:
        if hello.has_table:
            save_table(connection, hello.run, table)
        if not RunStatus(known.status).ended:
            connection.execute(update(runs).where(runs.c.id == hello.run).values(**described))
        last_seq = known.last_seq
    status = None if known is None else RunStatus(known.status)
    return OpenedRun(last_seq=last_seq, table=table, status=status)


def lose(connection: Connection, run: str) -> bool:
    """Store that a live run's probe is gone; False when the run was not live."""
    live = (runs.c.id == run) & (runs.c.status == RunStatus.LIVE.value)
    changed = connection.execute(update(runs).where(live).values(status=RunStatus.LOST.value))
    return changed.rowcount > 0


def status_of(connection: Connection, run: str) -> RunStatus:
    """Return whether a run's probe is there; raises `UnknownRun`."""
    status = connection.scalar(select(runs.c.status).where(_is(run)))
    if status is None:
        raise UnknownRun(run)
    return RunStatus(status)


def locked_run(connection: Connection, run: str) -> Row[Any]:
    """Return all of a run's row, which nobody else changes before this transaction ends.

    SQLite has one writer, and its transactions one after the other; of PostgreSQL's servers each
    has one. Raises `UnknownRun`.
    """
    row = connection.execute(select(runs).where(_is(run)).with_for_update()).one_or_none()
    if row is None:
        raise UnknownRun(run)
    return row


def is_kept(connection: Connection, run: str) -> bool:
    """Return whether a run is there; nobody deletes one before this transaction ends.

    What else changes of it may change meanwhile.
    """
    there = select(runs.c.id).where(runs.c.id == run).with_for_update(read=True, key_share=True)
    return connection.scalar(there) is not None


def live_runs(connection: Connection) -> list[str]:
    """Return the runs that were live when they were last written."""
    query = select(runs.c.id).where(runs.c.status == RunStatus.LIVE.value)
    return list(connection.scalars(query))


def edit_run(connection: Connection, run: str, edit: RunEdit) -> int:
    """Change what a person may change of a run, and return its `last_seq`.

    A run that is given the name of others is the next of them. Raises `UnknownRun`.
    """
    _lock_names(connection)
    changed = dict(edit.changed)
    if edit.name is not None and edit.name != run_record(connection, run).name:
        changed["number"] = _next_number(connection, edit.name)
    connection.execute(update(runs).where(_is(run)).values(**changed))
    return int(run_record(connection, run).last_seq)


def run_rows(
    connection: Connection,
    archived: bool = False,
    tags: Collection[Tag] = (),
    name: str | None = None,
    group: str | None = None,
) -> list[RunRow]:
    """Return the runs that have all of some tags, newest first; archived ones only when asked.

    With a name, or a group, those of it only.
    """
    query = select(runs)
    if not archived:
        query = query.where(runs.c.archived.is_(False))
    if name is not None:
        query = query.where(runs.c.name == name)
    if group is not None:
        query = query.where(runs.c.group == group)
    records = _records(connection, query)
    told = open_alerts(connection)
    rows = readable(
        sorted(records, key=lambda row: (row.created, row.name, row.number), reverse=True),
        lambda row: _run_row(row, told.get(row.id, OpenAlerts())),
        lambda row: f"run {row.id}",
    )
    return [row for row in rows if set(tags) <= set(row.tags)]


def run_row(connection: Connection, run: str) -> RunRow:
    """Return one run; raises `UnknownRun`."""
    record = run_record(connection, run)
    return _run_row(record, open_alerts(connection, run).get(run, OpenAlerts()))


def run_named(connection: Connection, wanted: str) -> str:
    """Return the id of the run that an id, a `NAME#N`, or a name means.

    A name means the one live run that has it, or else the latest. What means none is returned as
    it is. Raises `AmbiguousRun` where several that live have the name.
    """
    if "\0" in wanted or connection.scalar(select(runs.c.id).where(runs.c.id == wanted)):
        return wanted
    names = {wanted, wanted.rpartition("#")[0]}
    query = select(runs.c.id, runs.c.name, runs.c.number, runs.c.status)
    rows = [
        _NamedRun(row.id, row.name, row.number, RunStatus(row.status))
        for row in connection.execute(query.where(runs.c.name.in_(names)).order_by(runs.c.number))
    ]
    found = runs_of_name(rows, wanted)
    if len(found) > 1:
        raise AmbiguousRun(wanted, [f"{row.name}#{row.number}" for row in found])
    return found[0].id if found else wanted


def known_runs(connection: Connection, ids: Collection[str]) -> set[str]:
    """Return which of some runs are there."""
    return set(connection.scalars(select(runs.c.id).where(runs.c.id.in_(list(ids)))))


def run_record(connection: Connection, run: str) -> Row[Any]:
    """Return all that is stored of a run beside its history; raises `UnknownRun`."""
    row = connection.execute(select(runs).where(_is(run))).one_or_none()
    if row is None:
        raise UnknownRun(run)
    return row


def _is(run: str) -> ColumnElement[bool]:
    """Return what finds the row of a run; raises `UnknownRun` for what cannot be a run's id.

    An address may hold a character that PostgreSQL has in no text, and asks for in vain.
    """
    if "\0" in run:
        raise UnknownRun(run)
    return runs.c.id == run


def _records(connection: Connection, query: Select[Any]) -> Sequence[Row[Any]]:
    """Return the rows of a query of runs; of a damaged file, those that can be read.

    A query ends where it comes upon damage, so that each run is read alone then, by the index of
    their ids.
    """
    try:
        return connection.execute(query).all()
    except DatabaseError as error:
        if not is_damage(error.orig):
            raise
    found: list[Row[Any]] = []
    for run in connection.scalars(select(runs.c.id)).all():
        with guarded(logged("What is stored of run %s cannot be read", run)):
            found += connection.execute(query.where(runs.c.id == run)).all()
    return found


def _run_row(row: Row[Any], alerts: OpenAlerts) -> RunRow:
    known = {name: value for name, value in row._mapping.items() if name in RunRow.model_fields}
    told = {"open_alerts": alerts.count, "last_alert": alerts.last_step}
    return RunRow.model_validate({**known, **told, "server_time": time.time()})


def _lock_names(connection: Connection) -> None:
    # Two servers may be told of the same run at once, or of two runs of the same name.
    connection.execute(select(meta.c.key).with_for_update())


def _next_number(connection: Connection, name: str) -> int:
    """Return the number of the next run of a name."""
    latest = connection.scalar(select(func.max(runs.c.number)).where(runs.c.name == name))
    return 1 + (latest or 0)
