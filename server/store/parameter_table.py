"""The parameter table of a run in the store."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from json import JSONEncoder
from typing import Any, NamedTuple

from sqlalchemy import JSON, Connection, Text, bindparam, cast, delete, insert, select
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler

from ..protocol.gates import Gate
from ..protocol.parameters import Frozen, Parameter
from .refusals import Refusal
from .tables import parameters

# As they are in the store, lists as their texts.
_COLUMNS = [
    cast(column, Text) if isinstance(column.type, JSON) else column for column in parameters.c
]
_MARKS = {column.key: bindparam(column.key, type_=column.type) for column in parameters.c}
_AT = (parameters.c.run == _MARKS["run"]) & (parameters.c.position == _MARKS["position"])


class Known(NamedTuple):
    """A parameter as the latest table had it."""

    name: str
    numel: int


def save_table(connection: Connection, run: str, table: Sequence[Parameter]) -> None:
    """Store a parameter table; raises `Refusal` when an index changed its meaning.

    Of 100,000 parameters, so that it takes no longer than it must: lists are compared and written
    as the texts that they are in the store, and the rows that are new go to the driver at once.
    """
    query = select(*_COLUMNS).where(parameters.c.run == run).order_by(parameters.c.position)
    stored = connection.execute(query).all()
    check_table([Known(row.name, row.numel) for row in stored], table)
    fresh = _table_rows(run, table)
    changed = [new for old, new in zip(stored, fresh, strict=False) if old != new]
    if changed:
        _write(connection, delete(parameters).where(_AT), [row[:2] for row in changed])
    if written := changed + fresh[len(stored) :]:
        _write(connection, insert(parameters).values(_MARKS), written)


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
    """Return what has to be known of a table to check the next."""
    return [Known(row.names[0], row.numel) for row in table]


def table_summary(table: Sequence[Parameter], held: Set[int]) -> dict[str, int]:
    """Return the columns of a run that follow from its table and from what commands freeze."""
    there = [(place, item) for place, item in enumerate(table) if not item.removed]
    return {
        "parameters": len(there),
        "removed": len(table) - len(there),
        "trainable": sum(1 for place, item in there if item.requires_grad and place not in held),
        "not_in_optimizer": sum(item.requires_grad and not item.in_optimizer for _, item in there),
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


def parameter_names(connection: Connection, run: str) -> list[str]:
    """Return the names of a run's parameters in table order."""
    query = select(parameters.c.name).where(parameters.c.run == run).order_by(parameters.c.position)
    return list(connection.scalars(query))


def _table_rows(run: str, table: Sequence[Parameter]) -> list[tuple[Any, ...]]:
    """Return the rows of a table as `_COLUMNS` has them."""
    text = JSONEncoder().encode
    shapes: dict[tuple[int, ...], str] = {}
    rows = []
    for position, item in enumerate(table):
        shape = tuple(item.shape)
        if shape not in shapes:
            shapes[shape] = text(item.shape)
        rows.append(
            (
                run,
                position,
                item.names[0],
                text(item.names),
                item.module,
                shapes[shape],
                item.numel,
                item.dtype,
                item.device,
                item.in_optimizer,
                item.requires_grad,
                item.removed,
            )
        )
    return rows


def _write(connection: Connection, statement: ClauseElement, rows: Sequence[Sequence[Any]]) -> None:
    """Execute a statement for each row of parameters, in the order of `_COLUMNS`."""
    compiled = statement.compile(dialect=connection.dialect)
    names = [column.key for column in parameters.c]
    if isinstance(compiled, SQLCompiler) and compiled.positional:
        connection.exec_driver_sql(str(compiled), [tuple(row) for row in rows])
    else:
        named = [dict(zip(names, row, strict=False)) for row in rows]
        connection.exec_driver_sql(str(compiled), named)
