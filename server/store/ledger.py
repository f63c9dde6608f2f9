"""The ledger: who asked for which command, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, cast

from sqlalchemy import ColumnElement, Connection, CursorResult, Row, func, insert, select, update

from ..events.records import CommandRecord
from ..protocol.commands.registry import KINDS, AnyCommand, AnyRequest
from ..protocol.commands.row import CommandRow
from ..protocol.commands.state import UNAPPLIED, CommandState
from ..protocol.probe_messages import Report
from ..protocol.runs import RunStatus
from .guard import guarded, logged, readable
from .parameter_table import parameter_names
from .refusals import EndedRun, UnknownCommand
from .runs import locked_run
from .tables import commands, runs

NAMES = 20
SILENT = "nothing is heard of the job any more; it is applied if the job comes back"
"""The detail of a command that waits for a run that is lost."""
EXPIRED = "Nothing was heard of the job for as long as a command holds, so it is not applied."
"""The reason of a command that waited too long for a run that is lost. A job that had taken it
before it was lost may tell later what became of it, and then that counts."""


# What a command of a gate has in the columns of a freeze.
_UNFROZEN = {"mode": "grad", "hold_stats": False, "reset_state": False}


def request(connection: Connection, run: str, asked: AnyRequest, now: float) -> CommandRow:
    """Store a command that a person asked for; raises `UnknownRun` and `EndedRun`."""
    status = RunStatus(locked_run(connection, run).status)
    if status.ended:
        raise EndedRun(run)
    number = _next_id(connection, run)
    row = {
        "run": run,
        "id": number,
        "local": None,
        **_UNFROZEN,
        "target": asked.target,
        **asked.model_dump(),
        "state": CommandState.REQUESTED.value,
        "step": None,
        "parameters": [],
        "reason": None,
        "detail": SILENT if status is RunStatus.LOST else None,
        "saved": None,
        "requested": now,
        "times": {CommandState.REQUESTED.value: now},
    }
    connection.execute(insert(commands).values(row))
    return command_row(connection, run, number)


def record_report(connection: Connection, run: str, report: Report) -> int | None:
    """Move a command on by a report of the probe and return its id.

    None when nothing changed: the report goes back, or nobody knows the command. The first report
    of a command made in Python enters it in the ledger.
    """
    row = _find(connection, run, report)
    if row is None:
        return _enter_local(connection, run, report)
    if row.reason == EXPIRED:  # the job had taken it all the same
        row = _take_up(connection, run, row)
    # The same state again brings news of it, such as what a freeze saved.
    again = row.state == report.state.value and report.has_news
    if not again and not CommandState(row.state).leads_to(report.state):
        return None
    changes: dict[str, Any] = {
        "state": report.state.value,
        "times": {**row.times, report.state.value: row.times.get(report.state.value, report.time)},
    }
    if CommandState(row.state) in UNAPPLIED and not again:
        changes["detail"] = None  # why it was waiting
    for name in ("step", "reason", "detail", "gate"):
        if (value := getattr(report, name)) is not None:
            changes[name] = value
    if report.saved is not None:
        changes["saved"] = report.saved.model_dump()
    if report.parameters:
        changes["parameters"] = report.parameters
    connection.execute(_one(update(commands), run, row.id).values(**changes))
    return int(row.id)


def command_state(connection: Connection, run: str, report: Report) -> CommandState | None:
    """Return the state of the command that a report is of; None before it is in the ledger."""
    row = _find(connection, run, report)
    return None if row is None else CommandState(row.state)


def command_record(
    connection: Connection, run: str, number: int, time: float, step: int
) -> CommandRecord:
    """Return a command as detectors of events are shown it, at the latest step that is known."""
    row = _select(connection, run, 1, {number}).one()
    at = step if row.step is None else row.step
    return CommandRecord(_command_row(row, [], 0), row.parameters, time, at)


def reject_unapplied(connection: Connection, run: str, reason: str, now: float) -> list[int]:
    """Reject every command that was not applied, and return their ids."""
    waiting = connection.execute(
        select(commands.c.id, commands.c.times).where(*_waiting(run))
    ).all()
    for row in waiting:
        _reject(connection, run, row.id, row.times, reason, now)
    return [int(row.id) for row in waiting]


def lost_with_commands(connection: Connection, before: float) -> list[str]:
    """Return the lost runs that have commands of before a time which no job has taken."""
    lost = (runs.c.id == commands.c.run) & (runs.c.status == RunStatus.LOST.value)
    query = select(commands.c.run).join(runs, lost).where(*_waits_since(before)).distinct()
    return list(connection.scalars(query))


def expire_unapplied(connection: Connection, run: str, before: float, now: float) -> list[int]:
    """Reject the commands of before a time that no job has taken, if a run is lost still.

    Returns their ids.
    """
    if RunStatus(locked_run(connection, run).status) is not RunStatus.LOST:
        return []
    old = select(commands.c.id, commands.c.times).where(
        commands.c.run == run, *_waits_since(before)
    )
    found = connection.execute(old.order_by(commands.c.id)).all()
    for row in found:
        _reject(connection, run, row.id, row.times, EXPIRED, now)
    return [int(row.id) for row in found]


def delay_unapplied(connection: Connection, run: str) -> list[int]:
    """Say of every command that was not applied that the run is lost, and return their ids."""
    waiting = _waiting(run)
    found = connection.scalars(select(commands.c.id).where(*waiting).order_by(commands.c.id)).all()
    connection.execute(update(commands).where(*waiting).values(detail=SILENT))
    return [int(number) for number in found]


def resume_unapplied(connection: Connection, run: str) -> list[int]:
    """Take back what :func:`delay_unapplied` said, for the job is heard again; return the ids."""
    silent = (*_waiting(run), commands.c.detail == SILENT)
    found = connection.scalars(select(commands.c.id).where(*silent).order_by(commands.c.id)).all()
    if found:
        connection.execute(update(commands).where(*silent).values(detail=None))
    return [int(number) for number in found]


def unapplied(connection: Connection, run: str, now: float) -> tuple[list[AnyCommand], list[int]]:
    """Return the commands that the probe has to be sent, oldest first, and which were rejected.

    One that cannot be read, since another version stored it say, is rejected: the others go on.
    """
    query = (
        select(commands).where(*_waiting(run), commands.c.local.is_(None)).order_by(commands.c.id)
    )
    found: list[AnyCommand] = []
    rejected: list[int] = []
    for row in connection.execute(query).all():
        with guarded(partial(_reject_unreadable, connection, run, row, now, rejected)):
            age = max(0.0, now - row.requested)
            found.append(command_of({**row._asdict(), "age": age}))
    return found, rejected


def _waiting(run: str) -> tuple[ColumnElement[bool], ...]:
    unapplied_states = [state.value for state in UNAPPLIED]
    return commands.c.run == run, commands.c.state.in_(unapplied_states)


def _waits_since(before: float) -> tuple[ColumnElement[bool], ...]:
    requested = commands.c.state == CommandState.REQUESTED.value
    return requested, commands.c.requested < before


def _take_up(connection: Connection, run: str, row: Row[Any]) -> Row[Any]:
    """Have a command as it was before it was rejected for what was not heard of its job."""
    times = {state: at for state, at in row.times.items() if state != row.state}
    before = {"state": CommandState.REQUESTED.value, "reason": None, "times": times}
    connection.execute(_one(update(commands), run, row.id).values(**before))
    return connection.execute(_one(select(commands), run, row.id)).one()


def _reject_unreadable(
    connection: Connection,
    run: str,
    row: Row[Any],
    now: float,
    rejected: list[int],
    error: Exception,
) -> None:
    logged("Command %d of run %s cannot be read, and is rejected", row.id, run)(error)
    fault = f"{type(error).__name__}: {error}".partition("\n")[0]
    reason = f"The server cannot read what is stored of this command ({fault}): send it again."
    _reject(connection, run, row.id, row.times, reason, now)
    rejected.append(row.id)


def _reject(
    connection: Connection,
    run: str,
    number: int,
    times: Mapping[str, float],
    reason: str,
    now: float,
) -> None:
    state = CommandState.REJECTED.value
    connection.execute(
        _one(update(commands), run, number).values(
            state=state, reason=reason, detail=None, times={**times, state: now}
        )
    )


def command_of(columns: Mapping[str, Any]) -> AnyCommand:
    """Return what the probe is sent, out of all that is known of a command; raises `ValueError`."""
    return cast(AnyCommand, KINDS[columns["kind"]].sent(columns))


def command_rows(
    connection: Connection, run: str, limit: int, ids: set[int] | None = None
) -> list[CommandRow]:
    """Return the latest commands of a run, or of those with the given ids, newest first.

    A row has the names of its first `NAMES` parameters.
    """
    rows = _select(connection, run, limit, ids).all()
    names = parameter_names(connection, run) if any(row.parameters for row in rows) else []
    return readable(
        rows,
        lambda row: _command_row(row, names, NAMES),
        lambda row: f"command {row.id} of run {run}",
    )


def command_row(connection: Connection, run: str, number: int) -> CommandRow:
    """Return one command with the names of all its parameters; raises `UnknownCommand`."""
    row = _select(connection, run, 1, {number}).one_or_none()
    if row is None:
        raise UnknownCommand(
            f"Run {run!r} has no command {number}: "
            f"GET /api/runs/{run}/commands lists those that it has."
        )
    return _command_row(row, parameter_names(connection, run), None)


def whole_commands(connection: Connection, run: str) -> Iterator[CommandRow]:
    """Return every command of a run, oldest first, each with the names of all its parameters.

    They are read at once, and these names, of which there may be very many, are put in one by one.
    """
    names = parameter_names(connection, run)
    query = select(commands).where(commands.c.run == run).order_by(commands.c.id)
    return (
        command
        for row in connection.execute(query).all()
        for command in readable(
            [row],
            lambda each: _command_row(each, names, None),
            lambda each: f"command {each.id} of run {run}",
        )
    )


def _select(
    connection: Connection, run: str, limit: int, ids: set[int] | None
) -> CursorResult[Any]:
    query = select(commands).where(commands.c.run == run)
    if ids is not None:
        query = query.where(commands.c.id.in_(ids))
    return connection.execute(query.order_by(commands.c.id.desc()).limit(limit))


def _find(connection: Connection, run: str, report: Report) -> Row[Any] | None:
    key = commands.c.id == report.id if report.id is not None else commands.c.local == report.local
    return connection.execute(select(commands).where(commands.c.run == run, key)).one_or_none()


def _enter_local(connection: Connection, run: str, report: Report) -> int | None:
    if report.local is None or report.kind is None or report.place is None:
        return None
    number = _next_id(connection, run)
    connection.execute(
        insert(commands).values(
            run=run,
            id=number,
            local=report.local,
            kind=report.kind,
            target=report.place,
            **KINDS[report.kind].columns(report),
            by=report.by or "python",
            state=report.state.value,
            step=report.step,
            parameters=report.parameters,
            reason=report.reason,
            detail=report.detail,
            saved=None if report.saved is None else report.saved.model_dump(),
            requested=report.time,
            times={CommandState.REQUESTED.value: report.time, report.state.value: report.time},
        )
    )
    return number


def _next_id(connection: Connection, run: str) -> int:
    highest = connection.scalar(select(func.max(commands.c.id)).where(commands.c.run == run))
    return (highest or 0) + 1


def _one(statement: Any, run: str, number: int) -> Any:
    return statement.where(commands.c.run == run, commands.c.id == number)


def _command_row(row: Row[Any], names: Sequence[str], named: int | None) -> CommandRow:
    fields = {name: value for name, value in row._mapping.items() if name != "count"}
    fields["parameters"] = [names[position] for position in row.parameters[:named]]
    return CommandRow.model_validate({**fields, "count": len(row.parameters)})
