"""Runs and their parameter tables in the store."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from sqlalchemy import Connection, Row, insert, select, update

from ..protocol.gates import Gate
from ..protocol.messages import Frozen, Hello, Parameter
from ..protocol.rows import RunRow, RunStatus
from .tables import parameters, runs


class Refusal(Exception):
    """What was asked cannot be done; the message says why and what to do."""

    status: ClassVar[int] = 404
    title: ClassVar[str] = "Not found"


class UnknownRun(Refusal):
    """There is no such run."""

    def __init__(self, run: str) -> None:
        super().__init__(f"There is no run {run!r}: GET /api/runs lists the runs that are known.")


class Known(NamedTuple):
    """A parameter as the latest table had it."""

    name: str
    numel: int


@dataclass(frozen=True, slots=True)
class OpenedRun:
    """What the store knows of a run when its probe says hello."""

    last_seq: int
    table: list[Known]
    notice: str | None


def open_run(connection: Connection, hello: Hello, now: float) -> OpenedRun:
    """Register a new run, or take up a known one again; raises `Refusal` when the table differs."""
    known = connection.execute(select(runs).where(runs.c.id == hello.run)).one_or_none()
    table = hello.parameters
    check_indexes(hello.frozen, len(table))
    described = {
        "status": RunStatus.LIVE.value,
        "started": hello.started,
        "last_seen": now,
        "step": hello.step,
        "host": hello.host,
        "pid": hello.pid,
        "probe_version": hello.probe_version,
        "torch_version": hello.torch_version,
        "figures": hello.figures,
        "ranks": hello.ranks,
        "compiled": hello.compiled,
        "expect": hello.expect,
        "frozen": [item.model_dump() for item in hello.frozen],
        **table_summary(table, {place for item in hello.frozen for place in item.parameters}),
    }
    if known is None:
        name = _free_name(connection, hello.name)
        connection.execute(
            insert(runs).values(
                id=hello.run,
                given_name=hello.name,
                name=name,
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
                **described,
            )
        )
        save_table(connection, hello.run, table)
        notice = None if name == hello.name else _name_notice(hello.name, name)
        last_seq = 0
    else:
        save_table(connection, hello.run, table)
        connection.execute(update(runs).where(runs.c.id == hello.run).values(**described))
        notice, last_seq = None, known.last_seq
    return OpenedRun(last_seq=last_seq, table=known_rows(table), notice=notice)


def save_table(connection: Connection, run: str, table: Sequence[Parameter]) -> None:
    """Store a parameter table; raises `Refusal` when an index changed its meaning."""
    query = select(parameters).where(parameters.c.run == run).order_by(parameters.c.position)
    stored = connection.execute(query).all()
    check_table([Known(row.name, row.numel) for row in stored], table)
    fresh = [_table_row(run, position, item) for position, item in enumerate(table)]
    for old, new in zip(stored, fresh, strict=False):
        if old._asdict() != new:
            connection.execute(
                update(parameters)
                .where(parameters.c.run == run, parameters.c.position == old.position)
                .values(**new)
            )
    if added := fresh[len(stored) :]:
        connection.execute(insert(parameters), added)


def check_table(known: Sequence[Known], table: Sequence[Parameter]) -> None:
    """Raise `Refusal` when a row of a table cannot be the parameter that is known there.

    A parameter may get another name, by a wrapper around its module or since it was replaced; one
    that has another size as well is another parameter.
    """
    advice = "indexes never change their meaning, so attach the probe anew to start a new run."
    if len(table) < len(known):
        raise Refusal(
            f"The parameter table shrank from {len(known)} to {len(table)} rows; {advice}"
        )
    for position, (old, new) in enumerate(zip(known, known_rows(table), strict=False)):
        if old.name != new.name and old.numel not in (new.numel, 0):
            raise Refusal(
                f"Parameter {position} was {old.name!r} of {old.numel} elements and is now "
                f"{new.name!r} of {new.numel}; {advice}"
            )


def known_rows(table: Sequence[Parameter]) -> list[Known]:
    """What has to be known of a table to check the next."""
    return [Known(row.names[0], row.numel) for row in table]


def table_summary(table: Sequence[Parameter], held: Set[int]) -> dict[str, int]:
    """The columns of a run that follow from its table and from what commands hold frozen."""
    there = [(place, item) for place, item in enumerate(table) if not item.removed]
    return {
        "parameters": len(there),
        "removed": len(table) - len(there),
        "trainable": sum(1 for place, item in there if item.requires_grad and place not in held),
        "numel": sum(item.numel for _, item in there),
    }


def check_indexes(frozen: Iterable[Frozen | Gate], count: int) -> None:
    """Raise `Refusal` when an index is outside the parameter table."""
    for item in frozen:
        check_positions(item.parameters, count)


def check_positions(positions: Iterable[int], count: int) -> None:
    """Raise `Refusal` when an index is outside the parameter table."""
    highest = max(positions, default=-1)
    if highest >= count:
        raise Refusal(
            f"Index {highest} is outside the parameter table of {count} rows: "
            "send `parameters` before a frame that speaks of new ones."
        )


def set_status(connection: Connection, run: str, status: RunStatus) -> None:
    """Say whether a run's probe is there."""
    connection.execute(update(runs).where(runs.c.id == run).values(status=status.value))


def status_of(connection: Connection, run: str) -> RunStatus:
    """Whether a run's probe is there; raises `UnknownRun`."""
    status = connection.scalar(select(runs.c.status).where(runs.c.id == run))
    if status is None:
        raise UnknownRun(run)
    return RunStatus(status)


def live_runs(connection: Connection) -> list[str]:
    """The runs that were live when they were last written."""
    query = select(runs.c.id).where(runs.c.status == RunStatus.LIVE.value)
    return list(connection.scalars(query))


def run_rows(connection: Connection) -> list[RunRow]:
    """Every run, newest first."""
    query = select(runs).order_by(runs.c.created.desc(), runs.c.name.desc())
    return [_run_row(row) for row in connection.execute(query)]


def run_row(connection: Connection, run: str) -> RunRow:
    """One run; raises `UnknownRun`."""
    return _run_row(run_record(connection, run))


def run_record(connection: Connection, run: str) -> Row[Any]:
    """All that is stored of a run beside its history; raises `UnknownRun`."""
    row = connection.execute(select(runs).where(runs.c.id == run)).one_or_none()
    if row is None:
        raise UnknownRun(run)
    return row


def parameter_names(connection: Connection, run: str) -> list[str]:
    """The names of a run's parameters in table order."""
    query = select(parameters.c.name).where(parameters.c.run == run).order_by(parameters.c.position)
    return list(connection.scalars(query))


def _run_row(row: Row[Any]) -> RunRow:
    known = {name: value for name, value in row._mapping.items() if name in RunRow.model_fields}
    return RunRow.model_validate({**known, "server_time": time.time()})


def _free_name(connection: Connection, wanted: str) -> str:
    taken = set(connection.scalars(select(runs.c.name)))
    if wanted not in taken:
        return wanted
    number = 2
    while (name := f"{wanted} ({number})") in taken:
        number += 1
    return name


def _name_notice(given: str, name: str) -> str:
    return f"Another run is already named {given!r}, so this one is shown as {name!r}."


def _table_row(run: str, position: int, item: Parameter) -> dict[str, Any]:
    row = item.model_dump()
    return {"run": run, "position": position, "name": item.names[0], **row}
