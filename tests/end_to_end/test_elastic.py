"""A rank of a job under torchrun is killed, or stopped: no other one waits for Gradgate."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.elastic_job import GIVEN_UP_AFTER
from tests.support.serving import ServerProcess
from tests.support.waiting import wait_for, wait_until

ROOT = Path(__file__).parents[2]


class ElasticJob:
    """Two processes under torchrun's agent, which starts both anew where one ends."""

    def __init__(self, folder: Path, server: str) -> None:
        self._folder = folder
        command = [sys.executable, "-m", "tests.support.elastic_job", str(folder), "2", "2"]
        environment = {
            "GRADGATE_SERVER": server,
            "GRADGATE_STRICT": "1",
            "OMP_NUM_THREADS": "1",
            # Else ranks that are started anew may take the addresses of those before for theirs.
            "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1",
        }
        self._log = (folder / "log").open("w")
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=os.environ | environment, stdout=self._log, stderr=self._log
        )

    def notes(self, attempt: int, rank: int, key: str) -> list[Any]:
        """What a rank has noted under a key, each time that it was started."""
        path = self._folder / "notes"
        lines = path.read_text().split("\n")[:-1] if path.exists() else []
        found = (json.loads(line) for line in lines)
        return [n for n in found if n["attempt"] == attempt and n["rank"] == rank and key in n]

    def wait_for_note(self, attempt: int, rank: int, key: str, number: int = 1) -> Any:
        """The note with that number under a key, once it is there."""

        def found() -> Any:
            assert self._process.poll() is None, (self._folder / "log").read_text()
            notes = self.notes(attempt, rank, key)
            return notes[number - 1] if len(notes) >= number else None

        return wait_for(found, 60, f"rank {rank} of attempt {attempt}: {key}, {number} times")

    def signal(self, attempt: int, rank: int, number: int) -> None:
        """Send a signal to a rank that has attached."""
        os.kill(self.wait_for_note(attempt, rank, "process")["process"], number)

    def finish(self) -> int:
        """Ask the job to end; return the exit code of its agent."""
        (self._folder / "stop").touch()
        return self._process.wait(60)

    def end(self) -> None:
        """End what still runs, the agent last, since it starts ranks anew."""
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait(60)
        self._log.close()


@pytest.fixture
def job(server: ServerProcess, tmp_path: Path) -> Iterator[ElasticJob]:
    """The job, of which no process is left in the end."""
    elastic = ElasticJob(tmp_path, server.url)
    yield elastic
    elastic.end()


def wait_until_known(server: ServerProcess, run: str) -> None:
    """Wait until the server has heard of a run."""
    path = f"/api/runs/{run}"
    wait_for(lambda: server.page(path).status_code == 200, 30, "the server knows the run")


def ask(server: ServerProcess, run: str) -> str:
    """Ask for a freeze; return the path of the command."""
    wait_until_known(server, run)
    path = f"/api/runs/{run}/commands"
    answer = server.post(path, {"kind": "freeze", "target": "0"})
    assert answer.status_code == 202, answer.text
    return f"{path}/{answer.json()['id']}"


@pytest.mark.exhaustive(0)
def test_ranks_that_are_killed_and_stopped(server: ServerProcess, job: ElasticJob) -> None:
    """No rank is kept from failing as soon as the job's own operations do, and started anew the job
    is the next run of its name each time, in which all ranks apply what is asked for."""
    wait_until_known(server, job.wait_for_note(0, 0, "process")["run"])
    job.wait_for_note(0, 0, "step", 5)
    job.signal(0, 1, signal.SIGKILL)
    job.wait_for_note(0, 0, "failed")
    second = job.wait_for_note(1, 0, "process")

    # Stopped: it neither ends nor answers.
    job.wait_for_note(1, 0, "step", 5)
    job.signal(1, 1, signal.SIGSTOP)
    unanswered = ask(server, second["run"])
    last_step = job.notes(1, 0, "step")[-1]
    failed = job.wait_for_note(1, 0, "failed")
    assert failed["time"] - last_step["time"] < GIVEN_UP_AFTER + 3
    job.signal(1, 1, signal.SIGKILL)  # as the agent would, in half a minute

    third = job.wait_for_note(2, 0, "process")
    command = ask(server, third["run"])
    row = wait_until(lambda: server.get(command), lambda row: row["state"] == "verified", 30)
    assert "on all 2 ranks" in row["detail"]
    assert server.get(unanswered)["state"] == "delivered"
    assert job.finish() == 0
    weights = [job.notes(2, rank, "weights")[0]["weights"] for rank in (0, 1)]
    assert weights[0] == weights[1]
    runs = sorted(server.get("/api/runs")["runs"], key=lambda run: run["number"])
    assert [(run["name"], run["number"], run["ranks"]) for run in runs] == [
        ("elastic", number, 2) for number in (1, 2, 3)
    ]
    assert runs[2]["status"] == "finished"
    assert "finished" not in (runs[0]["status"], runs[1]["status"])
