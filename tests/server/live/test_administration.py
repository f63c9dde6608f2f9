"""Editing and deleting runs of a real server, while jobs come and go."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import delete, func, insert, select
from websockets.sync.client import connect

from gradgate.server.store.tables import deletions, metadata, runs
from tests.support.probing import FakeProbe, hello
from tests.support.serving import ServerProcess
from tests.support.storing import behind
from tests.support.waiting import wait_for

TABLES = [table for table in metadata.sorted_tables if "run" in table.c]


def left(data: Path, run: str) -> int:
    """How many rows are of a run, in any table."""
    with behind(data) as store:
        counts = (
            store.scalar(select(func.count()).select_from(table).where(table.c.run == run))
            for table in TABLES
        )
        return sum(count or 0 for count in counts)


@pytest.fixture
def finished(shared_server: ServerProcess, run: str) -> str:
    """A run with a command and two samples that has finished."""
    with FakeProbe(shared_server, hello(run, name=run)) as probe:
        probe.sample(1, [1, 2])
        probe.send({"type": "metrics", "seq": 2, "step": 1, "time": 1.0, "values": {"loss": 1}})
        probe.until_acked(2)
        asked = {"kind": "freeze", "target": "a.*"}
        assert shared_server.post(f"/api/runs/{run}/commands", asked).status_code == 202
        probe.bye()
        wait_for(lambda: shared_server.get(f"/api/runs/{run}")["status"] == "finished")
    return run


def test_a_rename_is_told_live(shared_server: ServerProcess, run: str) -> None:
    """A page that watches the run hears of its new name, and of its tags."""
    path = f"/api/runs/{run}"
    with (
        FakeProbe(shared_server, hello(run, name=run)),
        connect(f"{shared_server.ws_url}{path}/live") as page,
    ):
        assert shared_server.patch(path, {"name": f"new {run}", "tags": ["x"]}).status_code == 200
        rows = (json.loads(page.recv(20)) for _ in range(100))
        told = next(each["run"] for each in rows if each["type"] == "run" and each["run"]["tags"])
    assert (told["name"], told["tags"]) == (f"new {run}", ["x"])


def test_a_deleted_run_leaves_nothing(shared_server: ServerProcess, finished: str) -> None:
    """No row in any table; its job, should it come again, is a new run."""
    path = f"/api/runs/{finished}"
    assert left(shared_server.data, finished) > 5
    answer = shared_server.delete(path)
    assert (answer.status_code, answer.content) == (204, b"")
    assert shared_server.page(path).status_code == 404
    wait_for(lambda: left(shared_server.data, finished) == 0)
    with FakeProbe(shared_server, hello(finished)) as probe:
        assert probe.welcome["last_seq"] == 0


def test_a_run_whose_job_is_there_is_kept(shared_server: ServerProcess, run: str) -> None:
    """Live, or lost and connected again: a sentence, and nothing is lost."""
    path = f"/api/runs/{run}"
    with FakeProbe(shared_server, hello(run)) as probe:
        assert shared_server.delete(path).status_code == 409
        wait_for(lambda: shared_server.get(path)["status"] == "lost")
        refused = shared_server.delete(path)
        assert refused.status_code == 409
        assert "end the job" in refused.json()["detail"]
        probe.sample(1, [1, 2])
        probe.until_acked(1)
    assert shared_server.get(path)["samples"] == 1


def test_a_killed_server_goes_on_deleting(server: ServerProcess, run: str) -> None:
    """What was left when it died is removed by the next."""
    with FakeProbe(server, hello(run)) as probe:
        probe.sample(1, [1, 2])
        probe.until_acked(1)
    server.kill()
    with behind(server.data) as store:
        store.execute(insert(deletions).values(run=run))
        store.execute(delete(runs))
    assert left(server.data, run) > 0
    server.restart()
    wait_for(lambda: left(server.data, run) == 0)
