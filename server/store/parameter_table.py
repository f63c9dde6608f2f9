"""The parameter table of a run in the store."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set

import numpy as np
from sqlalchemy import Connection, delete, insert, select

from ..protocol.gates import Gate
from ..protocol.parameter_table import BLOCK, Block, Table
from ..protocol.parameters import Frozen
from .parameter_blocks import unpack
from .refusals import Refusal
from .tables import parameter_blocks


def save_table(connection: Connection, run: str, table: Table) -> None:
    """Store a parameter table; raises `Refusal` when an index changed its meaning."""
    fresh = table.blocks
    stored = {block.first: block for block in _blocks(connection, run)}
    changed = [block for block in fresh if stored.get(block.first) != block]
    if stored and (changed or len(stored) > len(fresh)):
        check_table(unpack(stored.values()), table)
    if changed:
        of_run = parameter_blocks.c.run == run
        places = parameter_blocks.c.first.in_([block.first for block in changed])
        connection.execute(delete(parameter_blocks).where(of_run, places))
        connection.execute(
            insert(parameter_blocks), [{"run": run, **block._asdict()} for block in changed]
        )


def read_table(connection: Connection, run: str) -> Table:
    """Return the table of a run, an empty one of a run that is not there."""
    return unpack(_blocks(connection, run))


def check_table(known: Table, table: Table) -> None:
    """Raise `Refusal` when a row of a table cannot be the parameter that is known there.

    A parameter may get another name, by a wrapper around its module or since it was replaced; one
    that has another size as well is another parameter.
    """
    advice = "indexes never change their meaning, so attach the probe anew to start a new run."
    if len(table) < len(known):
        raise Refusal(
            f"The parameter table shrank from {len(known)} to {len(table)} rows; {advice}"
        )
    was, now = known.numel, table.numel[: len(known)]
    for position in np.flatnonzero((was != now) & (was != 0)).tolist():
        old, new = known.names[position], table.names[position]
        if old != new:
            raise Refusal(
                f"Parameter {position} was {old!r} of {was[position]} elements and is now "
                f"{new!r} of {now[position]}; {advice}"
            )


def table_summary(table: Table, held: Set[int]) -> dict[str, int]:
    """Return the columns of a run that follow from its table and from what commands freeze."""
    kinds = table.kinds
    gone = np.array([each.removed for each in kinds], np.bool_)[table.kind]
    trains = np.array([each.requires_grad for each in kinds], np.bool_)[table.kind] & ~gone
    alone = np.array([not each.in_optimizer for each in kinds], np.bool_)[table.kind]
    free = trains.copy()
    free[list(held)] = False
    return {
        "parameters": int((~gone).sum()),
        "removed": int(gone.sum()),
        "trainable": int(free.sum()),
        "not_in_optimizer": int((trains & alone).sum()),
        "numel": int(table.numel[~gone].sum()),
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


def parameter_names(connection: Connection, run: str) -> Sequence[str]:
    """Return the names of a run's parameters in table order."""
    return read_table(connection, run).names


def names_at(connection: Connection, run: str, places: Iterable[int]) -> dict[int, str]:
    """Return the names of a few parameters by their places, without reading all."""
    wanted = set(places)
    firsts = {place - place % BLOCK for place in wanted}
    found: dict[int, str] = {}
    for block in _blocks(connection, run, firsts):
        names = unpack([block]).names
        found |= {
            place: names[place - block.first]
            for place in wanted
            if block.first <= place < block.first + len(names)
        }
    return found


def _blocks(connection: Connection, run: str, firsts: Iterable[int] | None = None) -> list[Block]:
    table = parameter_blocks.c
    query = select(table.first, table.size, table.data).where(table.run == run)
    if firsts is not None:
        query = query.where(table.first.in_(firsts))
    return [Block(*row) for row in connection.execute(query.order_by(table.first))]
