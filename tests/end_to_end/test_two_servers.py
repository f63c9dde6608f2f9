"""Two servers of one PostgreSQL, a real job at the one, and a person at the other."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from tests.support.postgresql import Cluster
from tests.support.serving import ServerProcess
from tests.support.training import TrainingJob
from tests.support.waiting import wait_until

TARGET = "encoder.0.weight"


def ask(server: ServerProcess, job: TrainingJob, kind: str) -> Any:
    """Ask a server for a freeze or thaw, and wait there until the job has proved it."""
    path = f"/api/runs/{job.run}/commands"
    answer = server.post(path, {"kind": kind, "target": TARGET})
    assert answer.status_code == 202, answer.text
    number = answer.json()["id"]
    return wait_until(
        lambda: server.get(f"{path}/{number}"), lambda row: row["state"] == "verified", 60, kind
    )


def test_a_command_at_one_server_steers_a_job_at_the_other_and_either_may_be_killed(
    postgresql: Cluster, tmp_path: Path
) -> None:
    """The job hears of it within a second; no sample is lost or stored twice, whoever dies."""
    options = ("--store", str(postgresql.database()))
    with (
        ServerProcess(tmp_path / "1", *options) as near,
        ServerProcess(tmp_path / "2", *options) as far,
        TrainingJob(tmp_path / "job", near.url) as job,
    ):
        job.wait_for_step(10)
        job.wait_until_known(far)
        path = f"/api/runs/{job.run}"
        freeze = ask(far, job, "freeze")
        assert freeze["times"]["delivered"] - freeze["times"]["requested"] < 1
        frozen = [TARGET in names for names in job.frozen()]
        assert frozen.index(True) + 1 == freeze["step"]

        far.kill()
        job.wait_for_more(20)
        far.restart()
        near.kill()
        job.wait_for_more(20)
        # Whatever server is at the address that the job was given takes it.
        with ServerProcess(tmp_path / "3", *options, port=near.port) as third:
            wait_until(lambda: far.get(path)["status"], lambda status: status == "live", 60)
            thaw = ask(far, job, "thaw")
            assert TARGET not in job.frozen()[thaw["step"]]
            assert job.stop() == 0, job.output
            for server in (far, third):
                wait_until(partial(server.get, path), lambda row: row["status"] == "finished", 30)
                series = server.get(f"{path}/series", parameter="head.bias", points=10_000)
                assert series["steps"] == list(range(1, job.step + 1))
                states = [row["state"] for row in server.get(f"{path}/commands")["commands"]]
                assert states == ["verified", "verified"]
