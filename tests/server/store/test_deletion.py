"""Deleting a run: gone at once, its data bit by bit, and nothing of another run."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, func, insert, select
from sqlalchemy.exc import OperationalError

from gradgate.server.protocol.probe_messages import Hello
from gradgate.server.store.database import Store
from gradgate.server.store.deletion import begin_deletion, delete_some, deleted_runs
from gradgate.server.store.levels.merging import next_merge
from gradgate.server.store.refusals import BeingDeleted, LiveRunKept, UnknownRun
from gradgate.server.store.runs import lose, open_run, run_row, run_rows
from gradgate.server.store.samples import append_samples
from gradgate.server.store.tables import deletions, metadata, metrics
from tests.server.store.levels.conftest import noise, sample
from tests.support.postgresql import Cluster
from tests.support.probing import hello

OTHER = "f" * 16


@pytest.fixture
def ended(connection: Connection, opened: str) -> str:
    """A run that is lost, with 200 metrics, beside another run with as many."""
    open_run(connection, Hello.model_validate(hello(OTHER, name="other")), 2.0)
    for run in (opened, OTHER):
        rows = [
            {"run": run, "name": "loss", "seq": seq, "step": seq, "time": 1.0, "value": 1.0}
            for seq in range(200)
        ]
        connection.execute(insert(metrics), rows)
    lose(connection, opened)
    return opened


def left(connection: Connection, run: str) -> int:
    """How many rows are of a run, in any table."""
    return sum(
        connection.execute(select(func.count()).where(table.c.run == run)).scalar_one()
        for table in metadata.sorted_tables
        if "run" in table.c
    )


def test_a_deleted_run_is_gone_at_once(connection: Connection, ended: str) -> None:
    """Though its data are still there, and known to be left."""
    begin_deletion(connection, ended)
    assert [row.id for row in run_rows(connection)] == [OTHER]
    with pytest.raises(UnknownRun):
        run_row(connection, ended)
    assert deleted_runs(connection) == [ended]
    with pytest.raises(UnknownRun):
        begin_deletion(connection, ended)


def test_data_go_bit_by_bit(connection: Connection, ended: str) -> None:
    """A transaction without time takes some; the last takes the mark too, and no other's rows."""
    others = left(connection, OTHER)
    begin_deletion(connection, ended)
    counts = [left(connection, ended)]
    while delete_some(connection, ended, within=0):
        counts.append(left(connection, ended))
        assert counts[-2] - 64 <= counts[-1] < counts[-2]
    assert len(counts) > 3
    assert (left(connection, ended), left(connection, OTHER)) == (0, others)
    assert deleted_runs(connection) == []


def test_its_job_has_to_wait_until_all_is_gone(connection: Connection, ended: str) -> None:
    """It would be mixed with what is still removed; then it is a new run."""
    greeting = Hello.model_validate(hello(ended))
    begin_deletion(connection, ended)
    with pytest.raises(BeingDeleted, match="try again") as refused:
        open_run(connection, greeting, 3.0)
    assert refused.value.passing
    while delete_some(connection, ended):
        pass
    assert open_run(connection, greeting, 3.0).last_seq == 0
    assert run_row(connection, ended).samples == 0


def test_a_live_run_is_not_deleted(connection: Connection, opened: str) -> None:
    """The refusal says what has to be first."""
    with pytest.raises(LiveRunKept, match="end the job, and delete the run when it is finished"):
        begin_deletion(connection, opened)
    assert connection.execute(select(deletions)).all() == []


def test_a_run_is_not_deleted_while_something_of_it_is_merged(
    postgresql: Cluster, run: str
) -> None:
    """Another server waits for it, since what is merged would be left of the run for ever."""
    store = Store(postgresql.database())
    with store.write() as connection:
        open_run(connection, Hello.model_validate(hello(run)), 1.0)
        made = noise(run, 16, 2)
        for place in range(16):
            append_samples(connection, run, place, [sample(made, place)])
        lose(connection, run)
    with store.read() as connection:
        merge = next_merge(connection, run)
    assert merge is not None
    with store.write() as merging, store.write() as deleting:
        merge.apply(merging)
        deleting.exec_driver_sql("SET LOCAL lock_timeout = '100ms'")
        with pytest.raises(OperationalError, match="lock timeout"):
            begin_deletion(deleting, run)
    with store.write() as connection:
        begin_deletion(connection, run)
        while delete_some(connection, run):
            pass
        assert left(connection, run) == 0
    store.close()
