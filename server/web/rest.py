"""The REST API (docs/protocol.md, section 3)."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException, Path, Query, Response
from sqlalchemy import Connection, select, update
from sqlalchemy.exc import SQLAlchemyError

from ..protocol import limits
from ..protocol.effects import Preview
from ..protocol.fields import Name
from ..protocol.gate_requests import AnyRequest, TrialRequest
from ..protocol.rows import (
    AlertRows,
    ChangeRequest,
    CommandRow,
    CommandRows,
    ExplanationRows,
    Fault,
    GateRows,
    Health,
    MetricRow,
    MetricRows,
    ParameterRows,
    RunRow,
    Runs,
    SeriesError,
    SeriesRow,
    SeriesRows,
    Sparklines,
    StoreHealth,
)
from ..protocol.states import STORED_STATISTICS
from ..protocol.trials import Trial
from ..protocol.version import VERSION
from ..store.alerts import alert_rows
from ..store.buckets import History, bucket, plain
from ..store.commands import command_row, command_rows
from ..store.explanations import explanation_rows
from ..store.gates import gate_rows
from ..store.history import read_histories, read_metrics, read_recent
from ..store.parameters import parameter_rows
from ..store.runs import Refusal, parameter_names, run_record, run_row, run_rows
from ..store.tables import meta, parameters
from ..store.writer import WriterEnded
from .parts import Parts, PartsOf, StoreOf

router = APIRouter(prefix="/api/runs", tags=["runs"])
health_router = APIRouter(tags=["health"])

STORE_PATIENCE = 10.0
HEALTH_PATIENCE = 3.0
METRIC_VALUES = 2000
UNANSWERED: dict[int | str, dict[str, Any]] = {
    code: {"model": Fault} for code in (409, 429, 503, 504)
}

Step = Annotated[int | None, Query(ge=0, le=limits.NUMBER)]


class UnknownParameter(Refusal):
    """There is no such parameter."""


@router.get("")
def list_runs(store: StoreOf) -> Runs:
    """Every run, newest first."""
    with store.read() as connection:
        return Runs(runs=run_rows(connection))


@router.get("/{run}")
def get_run(run: str, store: StoreOf) -> RunRow:
    """One run."""
    with store.read() as connection:
        return run_row(connection, run)


@router.get("/{run}/parameters")
def list_parameters(run: str, store: StoreOf) -> ParameterRows:
    """Every parameter in model order, with its latest figures."""
    with store.read() as connection:
        return ParameterRows(parameters=parameter_rows(connection, run))


@router.get("/{run}/series")
def get_series(
    run: str,
    store: StoreOf,
    parameter: Annotated[list[str], Query(min_length=1, max_length=100)],
    stat: Literal["grad_norm", "grad_max"] = "grad_norm",
    first_step: Annotated[Step, Query(alias="from")] = None,
    last_step: Annotated[Step, Query(alias="to")] = None,
    points: Annotated[int, Query(ge=1, le=10_000)] = 600,
) -> SeriesRow | SeriesRows:
    """The history of one parameter, or of several, in at most `points` buckets."""
    with store.read() as connection:
        run_record(connection, run)
        places = _positions(connection, run, parameter)
        known = list(places.values())
        if len(parameter) == 1 and not known:
            raise UnknownParameter(_unknown_parameter(connection, run, parameter[0]))
        histories = read_histories(
            connection, run, known, STORED_STATISTICS[stat], first_step, last_step
        )
        rows: list[SeriesRow | SeriesError] = [
            _series_row(name, stat, histories[places[name]], points)
            if name in places
            else SeriesError(parameter=name, error=_unknown_parameter(connection, run, name))
            for name in parameter
        ]
    first = rows[0]
    return first if len(rows) == 1 and isinstance(first, SeriesRow) else SeriesRows(series=rows)


@router.get("/{run}/sparklines", response_model=Sparklines)
def get_sparklines(
    run: str, store: StoreOf, points: Annotated[int, Query(ge=1, le=200)] = 60
) -> Response:
    """The last samples of every parameter in table order: `grad_norm`, and codes of the states."""
    with store.read() as connection:
        record = run_record(connection, run)
        count = record.parameters + record.removed
        recent = read_recent(connection, run, count, points)
    length = len(recent.steps)
    numbers = plain(recent.values.T.ravel())
    starts = range(0, count * length, length) if length else [0] * count
    # Row by row, since one call for a million numbers would keep every other thread waiting.
    rows = ",".join(json.dumps(numbers[start : start + length]) for start in starts)
    states = ",".join(json.dumps(codes) for codes in recent.states.T.tolist())
    text = f'{{"steps":{json.dumps(recent.steps)},"rows":[{rows}],"states":[{states}]}}'
    return Response(text, media_type="application/json")


@router.get("/{run}/metrics")
def get_metrics(run: str, store: StoreOf) -> MetricRows:
    """The latest values of every metric that was logged."""
    with store.read() as connection:
        run_record(connection, run)
        found = read_metrics(connection, run, METRIC_VALUES)
    return MetricRows(
        metrics={
            name: MetricRow(steps=steps, values=values) for name, (steps, values) in found.items()
        }
    )


@router.post("/{run}/commands", status_code=202)
def post_command(run: str, asked: AnyRequest, parts: PartsOf) -> CommandRow:
    """Ask for a change; the answer says that it was asked for, not that it was done."""
    future = parts.hub.request(run, asked)
    try:
        return future.result(STORE_PATIENCE)
    except FutureTimeoutError as error:
        outcome = (
            "the command was not taken: see GET /healthz, and try again."
            if future.cancel()
            else f"the command may still be taken: see GET /api/runs/{run}/commands."
        )
        raise HTTPException(503, f"The store is busy, and {outcome}") from error


@router.get("/{run}/gates")
def list_gates(run: str, store: StoreOf) -> GateRows:
    """Every gate as the job last reported it."""
    with store.read() as connection:
        return GateRows(gates=gate_rows(connection, run))


@router.get("/{run}/explanations")
def list_explanations(
    run: str, store: StoreOf, match: Annotated[Name | None, Query()] = None
) -> ExplanationRows:
    """What the latest traced step showed; `match` is a parameter's name, a module or a glob."""
    with store.read() as connection:
        return explanation_rows(connection, run, match)


@router.get("/{run}/alerts")
def list_alerts(run: str, store: StoreOf) -> AlertRows:
    """The parameters that were expected to train and have no useful gradient."""
    with store.read() as connection:
        return AlertRows(alerts=alert_rows(connection, run))


@router.post("/{run}/trial", responses=UNANSWERED)
async def post_trial(run: str, asked: TrialRequest, parts: PartsOf) -> Trial:
    """How a gate would have fared over what is recorded, asked of the job; nothing is made."""
    return await parts.hub.trial(run, asked)


@router.get("/{run}/preview", responses=UNANSWERED)
async def get_preview(
    run: str, asked: Annotated[ChangeRequest, Query()], parts: PartsOf
) -> Preview:
    """What a command would touch, asked of the job itself; nothing is changed."""
    return await parts.hub.preview(run, asked)


@router.get("/{run}/commands")
def list_commands(
    run: str, store: StoreOf, limit: Annotated[int, Query(ge=1, le=10_000)] = 100
) -> CommandRows:
    """The audit log, newest first."""
    with store.read() as connection:
        run_record(connection, run)
        return CommandRows(commands=command_rows(connection, run, limit))


@router.get("/{run}/commands/{number}")
def get_command(
    run: str, number: Annotated[int, Path(ge=0, le=limits.NUMBER)], store: StoreOf
) -> CommandRow:
    """One command."""
    with store.read() as connection:
        run_record(connection, run)
        return command_row(connection, run, number)


@health_router.get("/healthz", responses={503: {"model": Health}})
def get_health(response: Response, parts: PartsOf) -> Health:
    """Whether the server can write its store; it tries."""
    error = _store_error(parts)
    response.status_code = 200 if error is None else 503
    writer = parts.hub.writer
    return Health(
        status="ok" if error is None else "failing",
        version=VERSION,
        store=StoreHealth(
            kind=parts.store.kind,
            queue=writer.waiting,
            last_commit=writer.last_commit,
            error=error,
        ),
    )


def _store_error(parts: Parts) -> str | None:
    future = parts.hub.writer.submit(_touch)
    try:
        future.result(HEALTH_PATIENCE)
    except FutureTimeoutError:
        future.cancel()
        return f"The store did not take a write within {HEALTH_PATIENCE:.0f} seconds."
    except WriterEnded as error:
        return str(error)
    except SQLAlchemyError as error:
        return f"The store cannot be written: {error}"
    return None


def _touch(connection: Connection) -> None:
    connection.execute(
        update(meta).where(meta.c.key == "schema_version").values(value=meta.c.value)
    )


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
