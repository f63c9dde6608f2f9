"""Deleting a run: it is gone at once, and its data in small transactions after that."""

from __future__ import annotations

import time

from sqlalchemy import Connection, Table, delete, insert, select, tuple_

from ..protocol.runs import RunStatus
from .refusals import LiveRunKept
from .runs import locked_run
from .tables import deletions, metadata, runs

WITHIN = 0.05
"""Seconds that one transaction removes rows, which is how long what arrives meanwhile waits."""
_ROWS = 64


def begin_deletion(connection: Connection, run: str) -> None:
    """Remove a run from every list; raises `UnknownRun`, and `LiveRunKept` for a live one."""
    if locked_run(connection, run).status == RunStatus.LIVE.value:
        raise LiveRunKept(run)
    connection.execute(delete(runs).where(runs.c.id == run))
    connection.execute(insert(deletions).values(run=run))


def deleted_runs(connection: Connection) -> list[str]:
    """Return the deleted runs of which something is left."""
    return list(connection.scalars(select(deletions.c.run)))


def delete_some(connection: Connection, run: str, within: float = WITHIN) -> bool:
    """Remove what is left of a deleted run, for some seconds; return whether there may be more."""
    until = time.monotonic() + within
    for table in metadata.sorted_tables:
        if "run" in table.c and table is not deletions:
            while _delete_rows(connection, table, run):
                if time.monotonic() >= until:
                    return True
    connection.execute(delete(deletions).where(deletions.c.run == run))
    return False


def _delete_rows(connection: Connection, table: Table, run: str) -> int:
    of_run = table.c.run == run
    some = select(*table.primary_key).where(of_run).limit(_ROWS)
    key = tuple_(*table.primary_key)
    return connection.execute(delete(table).where(of_run, key.in_(some))).rowcount
