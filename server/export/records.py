"""The tables whose rows are those of the REST API: one column a field."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from pydantic import BaseModel
from sqlalchemy import Connection

from ..protocol import limits
from ..protocol.alerts import Alert
from ..protocol.commands.row import CommandRow
from ..protocol.events import EventRow
from ..protocol.explanations import Explanation
from ..protocol.fields import Count
from ..protocol.gates import GateRow
from ..protocol.parameters import ParameterRow
from ..protocol.runs import RunRow
from ..store.alerts import alert_rows
from ..store.database import Store
from ..store.events import event_rows
from ..store.explanations import explanation_rows
from ..store.gates import gate_rows
from ..store.ledger import whole_commands
from ..store.parameters import parameter_rows
from ..store.runs import run_row
from .columns import Batch, Column, Kind, Table
from .selection import Selection

_ROWS = 1000
"""Rows of a batch."""

_KINDS = {
    "integer": Kind.INTEGER,
    "number": Kind.REAL,
    "boolean": Kind.BOOLEAN,
    "string": Kind.TEXT,
}

Read = Callable[[Connection, Selection], Iterable[BaseModel]]
"""Reads rows; what it returns needs the connection no longer."""


class TracedExplanation(Explanation):
    """An explanation with the step that was traced."""

    step: Count


def record_table(model: type[BaseModel], read: Read) -> Table:
    """Return the table of a model's rows; what is neither number nor text is JSON."""
    columns = tuple(columns_of(model))

    def batches(store: Store, chosen: Selection) -> Iterator[Batch]:
        with store.read() as connection:  # which ends before somebody slow takes the first row
            rows = iter(read(connection, chosen))
        while part := [row.model_dump(mode="json") for row in islice(rows, _ROWS)]:
            yield [[row[column.name] for row in part] for column in columns]

    return Table(columns, batches)


def columns_of(model: type[BaseModel]) -> Iterator[Column]:
    """Yield a column for each field of a model."""
    schema = model.model_json_schema(mode="serialization")
    for name, field in schema["properties"].items():
        yield Column(name, _kind(field, schema.get("$defs", {})))


def _kind(field: dict[str, Any], named: dict[str, Any]) -> Kind:
    if "$ref" in field:
        field = named[field["$ref"].rpartition("/")[2]]
    options = [each for each in field.get("anyOf", [field]) if each.get("type") != "null"]
    if len(options) != 1:
        return Kind.JSON
    if options[0] is not field:
        return _kind(options[0], named)
    if field.get("type") == "array" and field["items"].get("type") == "string":
        return Kind.NAMES
    return _KINDS.get(field.get("type", ""), Kind.JSON)


def _run(connection: Connection, chosen: Selection) -> Iterable[BaseModel]:
    return [run_row(connection, chosen.run)]


def _parameters(connection: Connection, chosen: Selection) -> Iterable[BaseModel]:
    places = set(chosen.places)
    return [row for row in parameter_rows(connection, chosen.run) if row.index in places]


def _commands(connection: Connection, chosen: Selection) -> Iterable[BaseModel]:
    return whole_commands(connection, chosen.run)


def _gates(connection: Connection, chosen: Selection) -> Iterable[BaseModel]:
    return gate_rows(connection, chosen.run)


def _explanations(connection: Connection, chosen: Selection) -> Iterable[BaseModel]:
    known = explanation_rows(connection, chosen.run, chosen.match)
    return [
        TracedExplanation(step=known.step, **dict(each))
        for each in known.explanations
        if known.step is not None
    ]


def _alerts(connection: Connection, chosen: Selection) -> Iterable[BaseModel]:
    places = set(chosen.places)
    return [
        alert
        for alert in alert_rows(connection, chosen.run)
        if chosen.match is None or not places.isdisjoint((alert.parameter, *alert.others))
    ]


def _events(connection: Connection, chosen: Selection) -> Iterable[BaseModel]:
    newest_first = event_rows(
        connection,
        chosen.run,
        limit=limits.NUMBER,
        first_step=chosen.first_step,
        last_step=chosen.last_step,
    )
    return reversed(newest_first)


RUN = record_table(RunRow, _run)
PARAMETERS = record_table(ParameterRow, _parameters)
COMMANDS = record_table(CommandRow, _commands)
GATES = record_table(GateRow, _gates)
EXPLANATIONS = record_table(TracedExplanation, _explanations)
ALERTS = record_table(Alert, _alerts)
EVENTS = record_table(EventRow, _events)
