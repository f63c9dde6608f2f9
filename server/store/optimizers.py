"""The groups of a run's optimizers in the store."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select

from ..protocol.optimizers import OptimizerGroup, OptimizerGroupRows
from ..protocol.probe_messages import Optimizers
from .guard import readable
from .runs import run_record
from .tables import optimizers


def record_optimizers(connection: Connection, run: str, message: Optimizers) -> None:
    """Replace what is known."""
    connection.execute(delete(optimizers).where(optimizers.c.run == run))
    told = [group.model_dump() for group in message.groups]
    connection.execute(insert(optimizers).values(run=run, step=message.step, told=told))


def optimizer_groups(connection: Connection, run: str) -> OptimizerGroupRows:
    """Return the groups that the job last told of; raises `UnknownRun`."""
    run_record(connection, run)
    row = connection.execute(select(optimizers).where(optimizers.c.run == run)).one_or_none()
    if row is None:
        return OptimizerGroupRows(step=None, groups=[])
    groups = readable(
        row.told,
        OptimizerGroup.model_validate,
        lambda item: f"group {item.get('group')} of an optimizer of run {run}",
    )
    return OptimizerGroupRows(step=row.step, groups=groups)
