"""The parameter table of a run in the store."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from typing import Any, NamedTuple

from sqlalchemy import Connection, insert, select, update

from ..protocol.gates import Gate
from ..protocol.parameters import Frozen, Parameter
from .refusals import Refusal
from .tables import parameters


class Known(NamedTuple):
    """A parameter as the latest table had it."""

    name: str
    numel: int


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


def _table_row(run: str, position: int, item: Parameter) -> dict[str, Any]:
    row = item.model_dump()
    return {"run": run, "position": position, "name": item.names[0], **row}
